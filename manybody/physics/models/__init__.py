"""Hamiltonians and couplings, and the families that a study can draw from."""
