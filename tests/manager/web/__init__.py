"""Tests of the manager over HTTP."""
