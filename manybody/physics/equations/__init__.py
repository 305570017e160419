"""Master equations."""
