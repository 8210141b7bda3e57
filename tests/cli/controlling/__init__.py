"""Tests of asynctask.cli.controlling."""
