"""Quadratic systems under linear coupling: correlation matrices, and the exact answer."""
