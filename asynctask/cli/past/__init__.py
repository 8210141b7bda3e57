"""The history: what was run where, and what came of it, in a small database of the user's."""
