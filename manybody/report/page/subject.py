"""What all studies of disorder samples are about: Hamiltonian, coupling, equations, the paper."""

from collections.abc import Iterator

from manybody.physics.baths.families import BATH_FAMILIES
from manybody.physics.equations.registry import EQUATIONS
from manybody.report.read import StudyResult
from manybody.study.configuration import Study

SUBJECT = (
    "A system of Hamiltonian H couples to baths that are independent of each other, one for every "
    "coupled site j, H_int = Σ_j A_j ⊗ B_j. Master equations of its state ρ(t) are compared on "
    "the same samples of the disorder in H, at ħ = k_B = 1."
)
SOURCE = (
    "The question is that of K. Shiraishi, M. Nakagawa and T. Mori (SNM), Davies equation without "
    "the secular approximation, arXiv:2507.10080 (2025)."
)
_COUPLINGS = {
    "one": "A_j = |j⟩⟨j|: one particle, at site j",
    "many": "A_j = n_j or σ_j^z: many particles, on site j",
    "both": "A_j = |j⟩⟨j| of one particle, n_j of many",
}
_HALF = "γ(ω) = ∫ dt e^{iωt} ⟨B_j(t)B_j(0)⟩, ω > 0: energy given to the bath"


def distances_title(study: Study) -> str:
    """Of the section on distances in time, by which others link to it."""
    if len(study.equations) > 2:
        return f"Distances of the {len(study.equations)} equations"
    return "Distance of the two equations"


def formulas(results: StudyResult) -> tuple[str, ...]:
    """Couplings, spectrum of the baths, and every equation of a study."""
    return tuple(_formulas(results))


def _formulas(results: StudyResult) -> Iterator[str]:
    study = results.study
    yield _COUPLINGS[results.particles]
    spectrum = BATH_FAMILIES[study.bath_type].formula
    yield f"{spectrum}; {_HALF}" if spectrum else _HALF
    for name in study.equations if study.evolves or len(study.equations) > 1 else ():
        equation = EQUATIONS[name]
        formula = f"{equation.formula}; " if equation.formula else ""
        yield f"{equation.title}: {formula}{equation.source}"
