"""Hamiltonians, baths and generators as plain arrays: no communicator, file or clock.

SNM, LK, MP and LRL are papers that docs/physics.md names; equations have their numbers there.
"""
