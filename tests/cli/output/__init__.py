"""Tests of asynctask.cli.output."""
