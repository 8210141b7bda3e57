"""The interactive mode: commands are typed one after the other, and run on the nodes that were chosen."""
