"""Tests of asynctask.sync."""
