"""Kinds of motion without labels: where motions begin and end, and which are alike."""
