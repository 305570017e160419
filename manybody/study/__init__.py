"""Samples, ensembles and the store: where physics and numerics meet."""
