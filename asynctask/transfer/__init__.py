"""Copying files and trees to and from a node: what is planned, what is read here, what is written where."""
