"""Supervised processes on nodes, over SSH; there is nothing on a node but a POSIX shell."""
