"""A tiny study under random faults: `make torture`."""
