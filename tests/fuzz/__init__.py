"""Bad input of every kind: `make fuzz`."""
