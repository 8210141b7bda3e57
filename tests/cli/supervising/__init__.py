"""Tests of ``asynctask up``."""
