"""What a frozen encoder is worth: features, protocols, metrics, result files and figures."""
