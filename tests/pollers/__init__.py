"""Tests of asynctask.pollers."""
