"""Driven systems against their exact answer, SNM eq. (14)."""
