"""Thermodynamic networks: few modes or qubits between baths of different temperatures."""

from manybody.networks.coupled_oscillators import (
    coupled_oscillators,
    response_against_temperature_figure,
    response_in_time_figure,
)
from manybody.networks.coupled_qubits import (
    coupled_qubits,
    qubit_current_figure,
    qubit_perturbation_figure,
    qubit_response_figure,
)

__all__ = [
    "coupled_oscillators",
    "coupled_qubits",
    "qubit_current_figure",
    "qubit_perturbation_figure",
    "qubit_response_figure",
    "response_against_temperature_figure",
    "response_in_time_figure",
]
