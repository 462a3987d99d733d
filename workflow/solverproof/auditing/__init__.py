"""What a trained model is as an ODE, whatever it was trained with."""
