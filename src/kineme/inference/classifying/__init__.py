"""Classifiers taught by a handful of examples, and what they say of recordings."""
