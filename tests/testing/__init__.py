"""Tests of asynctask.testing."""
