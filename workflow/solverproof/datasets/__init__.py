"""Samples and labels, made only from a definition."""
