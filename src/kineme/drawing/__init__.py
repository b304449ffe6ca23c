"""Skeletons and stores to look at: strips, animations, pages that play."""
