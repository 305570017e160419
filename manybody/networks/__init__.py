"""Small driven networks from the literature, where exact answers exist.

Each function takes the parameters of its paper under their names there and returns a plain
dictionary of arrays.
"""

from manybody.networks.mitchison_plenio import mitchison_plenio

__all__ = ["mitchison_plenio"]
