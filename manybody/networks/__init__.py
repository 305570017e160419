"""Thermodynamic networks: few modes or qubits between baths of different temperatures."""

from manybody.networks.coupled_qubits import (
    coupled_qubits,
    qubit_current_figure,
    qubit_perturbation_figure,
    qubit_response_figure,
)

__all__ = [
    "coupled_qubits",
    "qubit_current_figure",
    "qubit_perturbation_figure",
    "qubit_response_figure",
]
