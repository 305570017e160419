"""Studies of the paper this package starts from (SNM): its theorem, and who is right."""
