"""The only place that imports petsc4py and slepc4py."""
