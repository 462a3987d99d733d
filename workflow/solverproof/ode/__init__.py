"""Numerical methods and the flow of a vector field."""
