"""What a trained model is for: tables of features."""
