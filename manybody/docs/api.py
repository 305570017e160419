"""The reference of the Python names, made of their docstrings."""

import inspect
import textwrap
from collections.abc import Iterator
from functools import cached_property
from typing import Any

import manybody
from manybody import networks

# Where a name comes from -> what it is about; of several places that fit the longest counts.
_SUBJECTS = {
    "solve.compare": "Comparing equations in time",
    "solve.comparison": "Comparing equations in time",
    "solve.driven": "Comparing equations in time",
    "solve.forecast": "Comparing equations in time",
    "physics.models": "Models",
    "physics.fock": "States of many particles",
    "physics.patterns": "States of many particles",
    "physics.baths": "Baths",
    "physics.equations": "Equations and their matrices",
    "physics.liouvillians": "Equations and their matrices",
    "physics.quantities.complete_positivity": "Equations and their matrices",
    "numerics": "Steppers and operators",
    "solve": "Steady states, slow modes, spectra",
    "physics.quantities": "Quantities",
    "physics.violations": "Quantities",
    "physics.response": "Linear response",
    "physics.gaussian": "Linear coupling: correlation matrices and exact answers",
    "networks": "Networks of the literature",
    "report": "Studies, stores and reports",
    "errors": "Errors",
}
INTRODUCTION = """\
# Python names

`import manybody as mb` brings every name of this page, each at its first use. ħ = k_B = 1:
energies are in units of J, times in 1/J; trace norms have no factor ½. `manybody docs NAME` shows
one name, as does `help(mb.NAME)`.
"""


def public_names() -> list[str]:
    """`manybody.__all__`, and the networks as "networks.NAME"."""
    return [*manybody.__all__, *(f"networks.{name}" for name in networks.__all__)]


def by_subject() -> dict[str, list[str]]:
    """Subject -> names.  Raises LookupError for a name that no subject knows."""
    found: dict[str, list[str]] = {subject: [] for subject in _SUBJECTS.values()}
    for name in public_names():
        found[_SUBJECTS[_place(name)]].append(name)
    return found


def _place(name: str) -> str:
    home = "networks" if name.startswith("networks") else manybody._HOME[name]
    inside = home.removeprefix("manybody.")
    return max((each for each in _SUBJECTS if inside.startswith(each)), key=len)


def api_page() -> str:
    """The page, in Markdown: every name by subject, with the first sentence of its docstring."""
    parts = [INTRODUCTION.rstrip()]
    for subject, names in by_subject().items():
        lines = [f"`{name}`\n: {summary(find(name))}\n" for name in names]
        parts += [f"## {subject}", "\n".join(lines).rstrip()]
    return "\n\n".join(parts) + "\n"


def find(name: str) -> Any:
    """The object of a public name."""
    found: Any = manybody
    for part in name.split("."):
        found = getattr(found, part)
    return found


def summary(found: Any) -> str:
    """The first paragraph of a docstring, in one line; of constants what they are."""
    if not (inspect.ismodule(found) or callable(found)):
        return f"{', '.join(map(str, found))}."
    return _first(inspect.getdoc(found))


def _first(text: str | None) -> str:
    return " ".join((text or "").partition("\n\n")[0].split())


def name_page(name: str) -> str:
    """What `help` says of a public name, in Markdown."""
    found = find(name)
    title = f"# mb.{name}"
    if not callable(found):
        return f"{title}\n\n{summary(found)}\n"
    call = textwrap.fill(f"mb.{name}{_signature(found)}", 96, subsequent_indent=4 * " ")
    parts = [title, _code(call), _code(inspect.getdoc(found) or "", "docstring")]
    if inspect.isclass(found):
        parts += list(_members(found))
    return "\n\n".join(parts) + "\n"


def _members(kind: type) -> Iterator[str]:
    """Public methods and properties that say what they are."""
    bases = [base for base in kind.__mro__ if base.__module__.startswith("manybody")]
    for name in sorted({name for base in bases for name in vars(base)}):
        member = getattr(kind, name)
        is_value = isinstance(member, property | cached_property)
        is_ours = is_value or inspect.isroutine(member)
        if is_ours and not name.startswith("_") and inspect.getdoc(member):
            shown = "" if is_value else _signature(member)
            yield f"`{name}{shown}`\n: {_first(inspect.getdoc(member))}"


def _signature(found: Any) -> str:
    """Names and defaults: what a parameter takes is said below it."""
    if inspect.isclass(found) and issubclass(found, Exception):
        # Python's own have no signature.
        return "(message)"
    signature = inspect.signature(found)
    bare = [
        one.replace(annotation=inspect.Parameter.empty)
        for name, one in signature.parameters.items()
        if name != "self"
    ]
    return str(signature.replace(parameters=bare, return_annotation=inspect.Signature.empty))


def _code(text: str, kind: str = "text") -> str:
    return f"```{kind}\n{text}\n```"
