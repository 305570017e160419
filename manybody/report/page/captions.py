"""Captions that stand alone: what is shown, symbols, samples, errors, parameters."""

from collections.abc import Mapping

from manybody.physics.baths.families import BATH_FAMILIES
from manybody.physics.equations.registry import EQUATIONS, unguarded
from manybody.report.figures.canvas import counted_samples
from manybody.report.figures.local import is_folded
from manybody.report.figures.makers import distances_name
from manybody.report.read import StudyResult
from manybody.report.tables.setting import start_words
from manybody.study.regions import symbol_of

_INTERVAL = "the 68 % bootstrap interval over samples"
_BOUND = "triangles: lower bounds, where the times end before the mean falls"
_ERROR = "Numbers in brackets are standard errors of the last digits over samples"
_MAXIMUM = (
    "max of mean: the largest value over time of the mean over samples; mean of max: the mean "
    "over samples of each one's own maximum"
)
_BEYOND = "shaded: beyond the sizes computed; laws are drawn up to twice the highest maximum"
_STATES = "; D: number of states"
_ALPHA = f"N: number of sites{_STATES}"
_PAIRS = (
    "here less there, with the error of the differences of pairs (in brackets) beside what it "
    "would be if the two had nothing in common."
)
_IN_ERRORS = (
    "in errors: the difference over its paired error; p: probability of one as large without any "
    "effect (Student's t), not corrected for the number of comparisons"
)


def conditions(results: StudyResult) -> str:
    """Parameters of a study and its samples, to end a caption."""
    study = results.study
    family = BATH_FAMILIES[study.bath_type]
    changed = {key for system in study.systems for key, _ in system.changes}
    facts = [
        f"{symbol_of(family, key)[1]} = {value:g}"
        for key, value in study.bath_parameters
        if f"bath_{key}" not in changed
    ]
    bath = ", ".join([f"{family.title} baths", *facts])
    shift = f"Lamb shift {'kept' if study.lamb_shift else 'neglected'}"
    others = [] if "lamb_shift" in changed else [shift]
    if study.evolves and not any(key.startswith("initial_") for key in changed):
        others.insert(0, f"start: {start_words(results)}")
    rest = "; titles say the rest" if changed else ""
    counts = counted_samples([point.n_samples for point in results.points])
    return f"{'; '.join([bath, *others])}{rest}; {counts}"


def distance_words(results: StudyResult) -> str:
    """What ‖ρ_D − ρ_R‖₁ is, with the letters of the first two equations."""
    (left, right), titles = _letters(results), _titles(results)
    return (
        f"‖ρ_{right} − ρ_{left}‖₁: trace norm (sum of |eigenvalues|, no factor ½) of the "
        f"difference of the states of the {titles[0]} (ρ_{left}) and the {titles[1]} (ρ_{right}) "
        "equation"
    )


def _letters(results: StudyResult) -> tuple[str, str]:
    first, second = (EQUATIONS[name].symbol.strip("{}") for name in results.study.equations[:2])
    return first, second


def _titles(results: StudyResult) -> list[str]:
    return [EQUATIONS[name].title for name in results.study.equations]


def figure_captions(results: StudyResult) -> Mapping[str, str]:
    """By name of the figure."""
    study, titles = results.study, _titles(results)
    found = dict(_FIGURES)
    if study.evolves:
        own = distance_words(results)
        found[distances_name(study)] = (
            f"{own}, against time t in 1/J, one panel a system and one line a size (mean, bands: "
            "standard deviation over samples); last panel: its largest mean against the number of "
            f"sites N, bars {_INTERVAL}, {_BOUND}"
        )
        found["maxima"] = (
            f"{own}: maximum over time of the mean over samples (filled) and mean of every "
            f"sample's own maximum (open, beside it) against the number of sites N, bars "
            f"{_INTERVAL}, {_BOUND}; last panel: the time at which the mean is largest"
        )
        found["scan"] = (
            f"{own}: maximum over time of the mean over samples against a number in which alone "
            "systems differ (one panel a family, one line a size), bars "
            f"{_INTERVAL}, {_BOUND}"
        )
        found["equations"] = (
            "Maximum over time of the mean distance of every other equation from "
            f"{titles[0]} in trace norm, one line a size N, bars: standard errors"
        )
        names = " and ".join(each.title for each in unguarded(study.equations))
        found["positivity"] = (
            f"Smallest eigenvalue of the state of {names}, whose form does not guarantee "
            "positivity, against time t in 1/J: the worst sample (lines) and the mean (dashed), "
            "at the largest size of every system"
        )
    if is_folded(results):
        found["local-states"] += "; one line a system, at its largest size"
    found[f"{study.name}-figures"] = (
        "Means over samples with standard errors against the number of sites N; what each is "
        "stands below"
    )
    end = conditions(results)
    return {name: f"{results.of_more(words)}. {end}." for name, words in found.items()}


_FIGURES = {
    "laws": "Maximum over time of the mean distance of the two equations, freed from the bias of "
    "a noisy maximum, against the number of sites N (bars: standard errors), with the laws that "
    f"describe it and their Akaike weights; {_BEYOND}; {_BOUND}",
    "spread": "Each sample's own maximum over time of the distance of the two equations against "
    "the number of sites N: points are samples, lines their medians",
    "precision": "Bootstrap error of the maximum over time of the mean distance of the two "
    "equations against the number of samples, averaged over random parts of the samples; one line "
    "a size N",
    "local": "Trace norm of the difference of whole states of the two equations, and the largest "
    "of those of one-site states δρ_j and of two-site states δρ_ij, against time t in 1/J: mean "
    "(bands: standard deviation over samples), a row a system, a line a size",
    "local-scaled": "The same as in the figure before against t times the number of sites: rates "
    "grow about as the number of sites, so that sizes are compared at about equal time times rate",
    "local-states": "Largest difference of occupations |δ⟨n_j⟩| and absolute difference of the "
    "energy a site |δ⟨H⟩|/N (mean, bands: standard deviation over samples); energy a site, "
    "purity tr ρ² and entropy S of the two equations (means), against time t in 1/J",
    "local-maxima": "Maximum over time of the mean of local figures of the two equations against "
    f"the number of sites N, bars {_INTERVAL}; {_BOUND}",
    "local-laws": "Maxima of local figures of the two equations, freed from the bias of a noisy "
    "maximum, against the number of sites N (bars: standard errors), with the laws that describe "
    f"them and their Akaike weights; {_BEYOND}; {_BOUND}",
    "expectations": "Means over samples of every equation against time t in 1/J (bands: standard "
    "errors), at the largest size of every system; of what has many components the three in which "
    "the two equations differ most",
    "locality": "Root mean square of the elements of the bath operators Λ_j against their "
    "distance from site j in bonds, over the largest; the largest size of every lattice",
}


def table_notes(results: StudyResult) -> Mapping[str, str]:
    """By name of the table."""
    end = f"{conditions(results)}."
    # Without a column D where it is N everywhere.
    unsaid = "" if results.names_dimensions else _STATES
    every = {name: results.of_more(words) for name, words in _TABLES.items()}
    found = {name: f"{words.replace(unsaid, '')}. {end}" for name, words in every.items()}
    if results.study.evolves:
        own = distance_words(results)
        found["maxima"] = f"{own}. {_MAXIMUM}. {_ERROR}; the file has the 68 % intervals. {end}"
    return found | _PLAIN


_TABLES = {
    "spread": f"Of the distance of the two equations in trace norm; {_ALPHA}; percentages are "
    "quantiles over samples",
    "pairs": f"Distance of two equations in trace norm, the largest over time of its mean over "
    f"samples, and when; the file has all sizes; {_ALPHA}. {_ERROR}",
    "initial-sites": f"Means over starts |j⟩⟨j|, sample by sample; {_ALPHA}. {_ERROR}",
    "guarantees": "positive: complete positivity; residuals: largest element of L[ρ_Gibbs]; "
    f"{_ALPHA}",
    "estimates": f"Of the mean distance of the two equations; error as fitted: widened for few "
    f"samples; {_ALPHA}. {_ERROR}",
    "laws": "Weighted least squares of the maxima above by laws of the number of sites N, those "
    "with fewer parameters than there are sizes; p: probability of a larger chi²; weight: Akaike "
    f"weight among the laws. {_ERROR}",
    "local": "δρ_j, δρ_ij: differences of one-site and two-site states of the two equations; "
    f"{_ALPHA}. {_ERROR}",
    "local-pairs": f"The file has all sizes and every two equations; {_ALPHA}. {_ERROR}",
    "verdicts": "Whether the maximum over time of the mean over samples stays bounded as the "
    "number of sites N grows",
    "local-estimates": f"Error as fitted: widened for few samples; {_ALPHA}. {_ERROR}",
    "local-laws": "Weighted least squares of the maxima above by laws of the number of sites N, "
    "those with fewer parameters than there are sizes; p: probability of a larger chi²; weight: "
    f"Akaike weight. {_ERROR}",
    "expectations": "a-b: equation a less equation b, at the time where the mean over samples "
    f"differs most; {_ALPHA}. {_ERROR}",
    "figures": f"Mean with standard error over the samples that have the figure, and quantiles; "
    f"{_ALPHA}. {_ERROR}",
    "numerics": "Changes of the distance of the two equations where the same samples are computed "
    f"otherwise, beside the statistical error of its maximum; {_ALPHA}",
    "precision": "Relative standard error of the largest mean distance of the two equations, and "
    f"the samples that smaller ones take; {_ALPHA}",
    "certificates": f"The worst of every figure that a sample's certificate has; {_ALPHA}",
    "paired": f"Both settings draw the same disorder, and are compared sample by sample: {_PAIRS} "
    "Distance and local figures of the two equations: maxima over time of means over samples, "
    f"pairs resampled together; others: means. {_IN_ERRORS}; {_ALPHA}",
    "paired-equations": "Maxima over time of mean distances in trace norm on the same samples: "
    f"{_PAIRS} Pairs are resampled together. {_IN_ERRORS}; {_ALPHA}",
}
_PLAIN = {
    "parameters": "ħ = k_B = 1, energies in the unit J of the models. 'by system': see the titles "
    "of systems.",
    "systems": "H with its disorder and the numbers in it, as studies name them (hopping or "
    "coupling: J, disorder: W, anisotropy: Δ); in the table's order of sizes: N sites, D states, "
    "samples in the store.",
    "missing": "What the study asks for and the store does not have.",
}
