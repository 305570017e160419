"""Mitchison and Plenio (MP): two modes between two leads, exactly and by equations."""
