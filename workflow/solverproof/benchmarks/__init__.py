"""Measurements of this code's speed and memory."""
