"""Baths: spectral densities, power spectra with their Lamb shifts, reservoirs of particles."""
