"""``asynctask up``: processes of a file that are kept alive, shown, and stopped in order."""
