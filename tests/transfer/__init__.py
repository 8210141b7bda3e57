"""Tests of asynctask.transfer."""
