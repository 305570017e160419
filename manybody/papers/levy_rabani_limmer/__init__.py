"""Levy, Rabani and Limmer (LRL): response of coupled oscillators and qubits."""
