"""Temporal action detection in untrimmed recordings."""
