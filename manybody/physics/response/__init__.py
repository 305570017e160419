"""First order in a change of the Hamiltonian."""
