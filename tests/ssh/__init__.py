"""Tests of asynctask.ssh."""
