"""Tests of asynctask.cli.control."""
