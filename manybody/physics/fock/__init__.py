"""Many particles: occupation bases, couplings, and the generators by definition."""
