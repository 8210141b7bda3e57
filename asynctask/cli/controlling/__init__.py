"""What the commands that talk to a running manager have in common."""
