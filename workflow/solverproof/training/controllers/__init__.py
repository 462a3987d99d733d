"""Controllers, which choose the step size or tolerance during training, one file each."""
