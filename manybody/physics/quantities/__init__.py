"""What is measured of states, spectra and generators."""
