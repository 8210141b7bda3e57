"""What watches every test: the choice of the event loop, the leak check, the loop-block detector."""
