"""Clips: where they come from, how they are stored, how they become batches of tensors."""
