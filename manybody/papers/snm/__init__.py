"""Studies of the paper this package starts from (SNM): its theorem, and who is right.

docs/physics.md names it in full, and lists its misprints.
"""
