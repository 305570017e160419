"""Studies of deterministic cases: numbers that one machine computes, and pages that judge them."""
