"""Trained models under other solvers, and what follows: drops, validity, critical steps."""
