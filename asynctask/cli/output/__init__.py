"""Displays and records of a run: what is shown of it, and how."""
