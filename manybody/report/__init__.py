"""Store -> the answer: averages, laws of size, figures, tables, one document.

SNM is a paper that docs/physics.md names.
"""
