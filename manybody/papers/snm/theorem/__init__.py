"""The theorem of SNM for linear coupling."""
