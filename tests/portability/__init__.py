"""A tiny study on machines and in folders that are not like ours: `make portability`."""
