"""Tests of the configuration of the command line."""
