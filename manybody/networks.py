"""Small driven networks of the literature, built from the general models, and their formulas.

Each function takes the parameters of its paper under their names there and returns a plain
dictionary of numbers and arrays.
"""

from manybody.papers.levy_kosloff.model import levy_kosloff
from manybody.papers.levy_rabani_limmer.model import coupled_oscillators, coupled_qubits
from manybody.papers.mitchison_plenio.model import mitchison_plenio

__all__ = ["coupled_oscillators", "coupled_qubits", "levy_kosloff", "mitchison_plenio"]
