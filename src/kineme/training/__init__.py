"""The training loop: any method, on one device or several, resumable."""
