"""One system: both equations in time, steady states, slow modes, levels.

SNM is a paper that docs/physics.md names.
"""
