"""Figures, drawn only from tables and traces."""
