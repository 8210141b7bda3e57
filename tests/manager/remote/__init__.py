"""Tests of supervised processes on nodes."""
