"""Operators and steppers; no physics vocabulary."""
