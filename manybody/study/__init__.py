"""Samples, ensembles, the store and the report: where physics and numerics meet."""
