"""Trained models under other solvers: drops, validity, critical steps."""
