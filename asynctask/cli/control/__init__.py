"""What decides how far a run goes: batches, retries, when to stop, what is asked before."""
