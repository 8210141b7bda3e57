"""Tests of processes on this machine."""
