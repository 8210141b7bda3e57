"""What a shell offers when the user presses Tab."""
