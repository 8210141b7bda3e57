"""Tests of asynctask.emitter."""
