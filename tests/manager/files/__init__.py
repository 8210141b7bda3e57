"""Tests of asynctask.manager.files."""
