"""What chooses the step size or tolerance during training, one file each."""
