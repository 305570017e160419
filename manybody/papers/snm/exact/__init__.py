"""Master equations against the exact answer of quadratic systems."""
