"""Grids of runs: method × data × stream × protocol, worked off cell by cell and told in one table."""
