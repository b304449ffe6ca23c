"""The one training loop: any method, on one device or several, interrupted and resumed."""
