"""Training a block of seeds, and the controllers that choose its steps."""
