"""Tests of asynctask.manager.control."""
