"""Samples and labels, made from a definition alone."""
