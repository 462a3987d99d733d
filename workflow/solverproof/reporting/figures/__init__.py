"""Figures, drawn from tables and traces alone."""
