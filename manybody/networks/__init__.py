"""Small driven networks of the literature, built from the general models, and their formulas.

Each function takes the parameters of its paper under their names there and returns a plain
dictionary of numbers and arrays.
"""

from manybody.networks.coupled_oscillators import coupled_oscillators
from manybody.networks.coupled_qubits import coupled_qubits
from manybody.networks.levy_kosloff import levy_kosloff
from manybody.networks.mitchison_plenio import mitchison_plenio

__all__ = ["coupled_oscillators", "coupled_qubits", "levy_kosloff", "mitchison_plenio"]
