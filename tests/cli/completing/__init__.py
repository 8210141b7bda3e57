"""Tests of what a shell offers."""
