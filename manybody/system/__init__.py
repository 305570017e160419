"""BLAS, memory and processors of the machine, how a run was launched, and what is installed."""
