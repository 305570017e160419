"""Small driven networks of the literature, built from the general models, and their formulas."""

from manybody.networks.levy_kosloff import levy_kosloff
from manybody.networks.mitchison_plenio import mitchison_plenio

__all__ = ["levy_kosloff", "mitchison_plenio"]
