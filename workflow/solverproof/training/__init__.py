"""Training a block of seeds, and what chooses its steps."""
