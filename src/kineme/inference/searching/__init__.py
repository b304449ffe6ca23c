"""Motion found by example: queries, indexes of libraries, hits and their pages."""
