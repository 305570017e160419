"""What the datasets of a block mean, their units, and the conventions of the physics."""

CONVENTIONS = (
    "hbar = k_B = 1; energies in the unit J of the model's parameters, times in 1/J; trace norm "
    "is the sum of |eigenvalues| with no factor 1/2; omega > 0 is energy given to the bath; "
    "rho(0) = |j><j| at initial_site, or Gibbs at initial_beta where that is given, or as "
    "initial_state says; A_j = |j><j| of one particle, n_j or sigma^z_j of many, on every site"
)
UNITS = {
    "energy": "J",
    "energy_difference": "J",
    "gibbs_residual": "J",
    "smallest_separation": "J",
    "cluster_width": "J",
    "seconds": "s",
}
MEANINGS = {
    "trace_distance": "trace norm of rho_a(t) - rho_b(t) of the equations a:b of a pair",
    "trace_distance_merged": "the same with undecided Bohr frequencies merged; nan where the "
    "clustering is not ambiguous or the pair does not depend on it",
    "smallest_eigenvalue_in_time": "smallest eigenvalue of rho(t); nan for equations that "
    "guarantee positivity",
    "one_site_largest": "largest trace norm over sites of the difference of one-site states",
    "one_site_mean": "mean trace norm over sites of the difference of one-site states",
    "two_site_largest": "largest trace norm over pairs of sites of the difference of two-site "
    "states",
    "two_site_mean": "mean trace norm over pairs of sites of the difference of two-site states",
    "density_largest": "largest difference of occupations <n_j> over sites",
    "energy_difference": "difference of energies a site, first equation less second",
    "energy": "tr(H rho) a site",
    "purity": "tr rho^2",
    "entropy": "von Neumann entropy -tr rho ln rho, negative eigenvalues left out; nan above 300 "
    "states",
    "density": "occupation <n_j>",
    "seed": "256-bit entropy of the disorder draw, four words",
    "seconds": "wall time of the sample",
    "trace_error": "largest |tr rho - 1| over times and equations",
    "hermiticity_error": "largest |rho_ab - conj(rho_ba)| over times and equations",
    "gibbs_residual": "largest |element| of L[rho_Gibbs], site basis",
    "kms_residual": "largest relative violation of KMS over the Bohr frequencies",
    "smallest_eigenvalue": "over all times, of the equations that do not guarantee positivity",
    "clustering": "verdict on coinciding Bohr frequencies",
    "merged_neighbours": "number of Bohr frequencies found equal to a neighbour",
    "expected_by_chance": "how many chance alone would make equal",
    "smallest_separation": "smallest distance of two Bohr frequencies kept apart",
    "cluster_width": "extent of the widest cluster of equal Bohr frequencies",
    "secular_ambiguity": "largest change of the distance when near-coincidences are merged",
    "level_conditioning": "eps |H| / smallest level spacing: how well Davies can be known",
    "stepper_error": "estimated error of states of stepped equations in trace norm",
    "applications": "generator applications spent on the stepped equations",
    "entries_kept": "share of the entries of an assembled Liouvillian that were kept",
    "drop_error": "estimated change of states in trace norm by dropped entries",
}
