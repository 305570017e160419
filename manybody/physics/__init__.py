"""Hamiltonians, baths and generators as plain arrays: no communicator, file or clock."""
