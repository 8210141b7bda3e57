"""How others talk to a running manager: operations by name, and a Unix socket."""
