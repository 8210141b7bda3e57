"""Tests of asynctask.manager."""
