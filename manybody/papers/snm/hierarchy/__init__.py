"""Master equations for density coupling against the hierarchy."""
