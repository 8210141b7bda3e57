"""Tests of what ``asynctask nodes`` is made of."""
