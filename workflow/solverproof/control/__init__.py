"""Keeping a step size at what a model tolerates, while it trains."""
