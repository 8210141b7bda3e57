"""SSH: how to get to a node and run a command there."""
