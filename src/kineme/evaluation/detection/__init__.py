"""Temporal action detection: what happens when in an untrimmed recording, and how well that is found."""
