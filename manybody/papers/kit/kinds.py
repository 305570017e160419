"""The kinds of studies of cases: what reads their TOML, computes a case and writes the page."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from manybody.errors import InputError
from manybody.papers.kit.config import Case, CaseStudy, Results
from manybody.papers.kit.page import Page
from manybody.papers.kit.store import Record
from manybody.papers.levy_kosloff import cases as levy_kosloff
from manybody.papers.levy_kosloff import page as levy_kosloff_page
from manybody.papers.levy_rabani_limmer import cases as levy_rabani_limmer
from manybody.papers.levy_rabani_limmer import page as levy_rabani_limmer_page
from manybody.papers.mitchison_plenio import cases as mitchison_plenio
from manybody.papers.mitchison_plenio import page as mitchison_plenio_page
from manybody.papers.snm.driven import cases as driven
from manybody.papers.snm.driven import page as driven_page
from manybody.papers.snm.exact import cases as exact
from manybody.papers.snm.exact import page as exact_page
from manybody.papers.snm.hierarchy import cases as hierarchy
from manybody.papers.snm.hierarchy import page as hierarchy_page
from manybody.papers.snm.hierarchy import states as hierarchy_states
from manybody.papers.snm.theorem import cases as theorem
from manybody.papers.snm.theorem import page as theorem_page
from manybody.physics import arguments
from manybody.study.configuration import Outputs
from manybody.study.parsing import parsed
from manybody.study.structure import Name, structure, table_of

# Keys of every kind.
_REQUIRED = {"name": Name, "kind": str}
_COMMON = {"description": str, "outputs": Outputs}


def nothing_needed() -> None:
    """Of kinds that need nothing beyond what the package depends on."""


@dataclass(frozen=True)
class Kind:
    """parse: TOML -> settings and cases; compute: settings, parameters -> results.

    build_page: study and finished cases -> page.
    check_available: raises Unavailable where this machine lacks what `compute` needs.
    """

    parse: Callable[[Mapping[str, Any]], tuple[dict[str, Any], list[Case]]]
    compute: Callable[[Mapping[str, Any], Mapping[str, Any]], Results]
    build_page: Callable[[CaseStudy, list[Record]], Page]
    check_available: Callable[[], None] = nothing_needed


KINDS: Mapping[str, Kind] = MappingProxyType(
    {
        "theorem": Kind(theorem.parse, theorem.compute, theorem_page.build_page),
        "exact": Kind(exact.parse, exact.compute, exact_page.build_page),
        "hierarchy": Kind(
            hierarchy.parse,
            hierarchy.compute,
            hierarchy_page.build_page,
            hierarchy_states.check_qutip,
        ),
        "driven": Kind(driven.parse, driven.compute, driven_page.build_page),
        "levy-kosloff": Kind(
            levy_kosloff.parse, levy_kosloff.compute, levy_kosloff_page.build_page
        ),
        "mitchison-plenio": Kind(
            mitchison_plenio.parse, mitchison_plenio.compute, mitchison_plenio_page.build_page
        ),
        "levy-rabani-limmer": Kind(
            levy_rabani_limmer.parse,
            levy_rabani_limmer.compute,
            levy_rabani_limmer_page.build_page,
        ),
    }
)


def parse_case_study(text: str, origin: str) -> CaseStudy:
    """Check a TOML text completely and build the study.

    Raises ValueError or TypeError: one sentence that names `origin`, the key, the value and
    what is allowed.
    """
    return parsed(text, origin, _study)


def _study(table: dict[str, Any]) -> CaseStudy:
    rest = {key: value for key, value in table.items() if key not in {**_REQUIRED, **_COMMON}}
    own = {key: value for key, value in table.items() if key not in rest}
    frame = structure(own, table_of(_REQUIRED, _COMMON))
    kind = arguments.choice("kind", frame["kind"], tuple(KINDS))
    settings, cases = KINDS[kind].parse(rest)
    names = [case.name for case in cases]
    if len(set(names)) != len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise InputError(f"the case {twice} appears more than once")
    outputs = frame.pop("outputs", {})
    return CaseStudy(settings=settings, cases=tuple(cases), **outputs, **frame)
