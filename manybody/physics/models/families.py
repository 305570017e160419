"""The models that a study can draw by name."""

from collections.abc import Mapping
from types import MappingProxyType

from manybody.physics.models.anderson3d import Anderson3D
from manybody.physics.models.anderson_bar import AndersonBar
from manybody.physics.models.complex_syk4 import ComplexSYK4
from manybody.physics.models.dirac_syk2 import DiracSYK2
from manybody.physics.models.family import Family
from manybody.physics.models.hard_core_bosons import HardCoreBosons
from manybody.physics.models.ising_chain import IsingChain
from manybody.physics.models.xxz_chain import XXZChain

_KNOWN: dict[str, Family] = {}
FAMILIES: Mapping[str, Family] = MappingProxyType(_KNOWN)


def register(family: Family) -> None:
    """Let studies draw a family by its name.

    Parameters
    ----------
    family : Family
        It says at least its `name`, `title`, `is_real` and `build`.

    Raises
    ------
    TypeError
        It leaves one of them unsaid, or what a parameter means.
    ValueError
        The name is taken.

    Examples
    --------
    >>> from manybody.physics.models.families import FAMILIES, register
    >>> try:
    ...     register(FAMILIES["anderson3d"])
    ... except ValueError as error:
    ...     print(error)
    family 'anderson3d' is known already
    """
    for fact in ("name", "title", "is_real", "build"):
        if not hasattr(family, fact):
            raise TypeError(f"family {type(family).__name__} does not say its {fact}")
    for parameter in (family.size, *family.parameters):
        family.meaning(parameter)
    if family.name in _KNOWN:
        raise ValueError(f"family {family.name!r} is known already")
    _KNOWN[family.name] = family


for _own in (
    DiracSYK2(),
    Anderson3D(),
    AndersonBar(),
    XXZChain(),
    ComplexSYK4(),
    IsingChain(),
    HardCoreBosons(),
):
    register(_own)
