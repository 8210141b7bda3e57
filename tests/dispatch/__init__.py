"""Tests of asynctask.dispatch."""
