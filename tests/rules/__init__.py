"""Tests of asynctask.rules."""
