"""Averages, and what follows from them."""
