"""A run's worth on one page: a self-contained HTML file of numbers, curves, maps and moving skeletons."""
