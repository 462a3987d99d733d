"""Families of vector fields, one file each."""
