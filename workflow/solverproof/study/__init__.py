"""What a configuration implies, before anything runs; free of torch."""
