"""Poses that come in as they are made, and the events in them."""
