"""Workers: one coroutine a target."""
