"""Tests of what ``asynctask gather`` is made of."""
