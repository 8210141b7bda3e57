"""What ``asynctask gather`` is made of."""
