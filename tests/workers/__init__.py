"""Tests of asynctask.workers."""
