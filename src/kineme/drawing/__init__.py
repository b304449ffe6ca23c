"""Drawings of skeletons, stores and results: strips, animations, HTML players, figures."""
