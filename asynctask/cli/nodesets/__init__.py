"""What ``asynctask nodes`` is made of."""
