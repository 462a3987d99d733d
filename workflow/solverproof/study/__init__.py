"""What a configuration implies, before anything runs; without torch."""
