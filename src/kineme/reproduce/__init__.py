"""Grids of runs: method × data × stream × protocol, trained and measured cell by cell, in one table."""
