"""The models that a study can draw by name."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from manybody.physics.models.lattices import BOUNDARIES
from manybody.physics.models.single_particle import SingleParticleModel, anderson3d, dirac_syk2


@dataclass(frozen=True)
class ModelFamily:
    """What a study needs to know of a model that it can draw by name.

    build: the public function above; title: its name in figures; size: its
    parameter that sets the size; n_sites: size -> N; reals: its real parameters
    with their defaults (None: must be given); words: its word parameters with
    default and choices; bandwidth: parameters -> typical E_max − E_min, which the
    number of applications scales with; is_real: whether H is.
    """

    build: Callable[..., SingleParticleModel]
    title: str
    size: str
    n_sites: Callable[[int], int]
    reals: Mapping[str, float | None]
    words: Mapping[str, tuple[str, tuple[str, ...]]]
    bandwidth: Callable[[Mapping[str, Any]], float]
    is_real: bool


FAMILIES: Mapping[str, ModelFamily] = MappingProxyType(
    {
        "dirac_syk2": ModelFamily(
            dirac_syk2,
            "Dirac-SYK2",
            "n_sites",
            lambda size: size,
            {"coupling": 1.0},
            {},
            lambda given: 4.0 * given["coupling"],
            is_real=False,
        ),
        "anderson3d": ModelFamily(
            anderson3d,
            "3D Anderson",
            "length",
            lambda size: size**3,
            {"disorder": None, "hopping": 1.0},
            {"boundary": ("periodic", BOUNDARIES)},
            lambda given: 2.0 * given["disorder"] + 8.0 * abs(given["hopping"]),
            is_real=True,
        ),
    }
)
