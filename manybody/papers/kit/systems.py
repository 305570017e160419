"""Systems and reservoirs that a study of cases names, and how a TOML file says them."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import MISSING, dataclass, fields, replace
from types import MappingProxyType
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray

from manybody.arrays import Complex
from manybody.errors import InputError, InputTypeError, said_of
from manybody.physics import arguments
from manybody.physics.baths.band_densities import FlatDensity, SemiEllipticDensity
from manybody.physics.baths.densities import DrudeLorentzDensity, OhmicDensity, PhononDensity
from manybody.physics.baths.reservoirs import Reservoir
from manybody.physics.baths.spectral_density import SpectralDensity
from manybody.physics.keys import REQUIRED, Key
from manybody.physics.models.anderson3d import anderson3d
from manybody.physics.models.dirac_syk2 import dirac_syk2
from manybody.seeding import generator, sample_entropy
from manybody.study.structure import check_keys, checked, listed, said

DENSITIES: Mapping[str, type[SpectralDensity]] = MappingProxyType(
    {
        "ohmic": OhmicDensity,
        "drude-lorentz": DrudeLorentzDensity,
        "phonon": PhononDensity,
        "semi-elliptic": SemiEllipticDensity,
        "flat": FlatDensity,
    }
)


@dataclass(frozen=True)
class System:
    """A Hamiltonian by name.

    title: in a report; size: the parameter that sets the size; n_sites: size -> N; numbers:
    real parameters with their defaults, None: must be given; build: (size, parameters, Generator)
    -> Hermitian matrix, energies in J; is_drawn: whether it is random.
    """

    title: str
    size: str
    numbers: Mapping[str, float | None]
    build: Callable[[int, Mapping[str, Any], np.random.Generator], Any]
    is_drawn: bool
    n_sites: Callable[[int], int] = int


def ring(n_sites: int, flux: float = 0.0) -> NDArray[Any]:
    """h of hopping 1 on a periodic ring with a flux through it; two sites have one bond.

    A particle that goes around gains the phase `flux`; 0 and π leave levels in degenerate pairs.
    """
    if n_sites == 1:
        return np.zeros((1, 1))
    last = 1 if n_sites == 2 else n_sites
    matrix = np.zeros((n_sites, n_sites), dtype=np.complex128)
    sites = np.arange(last)
    matrix[sites, (sites + 1) % n_sites] = np.exp(1j * flux / n_sites)
    return matrix + matrix.conj().T


def power_law(n_sites: int, rng: np.random.Generator) -> NDArray[Any]:
    """Random complex h with long hops: h_jk = (x + iy)/(1 + |j − k|), x and y in [−1, 1].

    Of this matrix the Hermitian part is taken: no ensemble that a unitary leaves invariant.
    """
    parts = rng.uniform(-1.0, 1.0, (2, n_sites, n_sites))
    sites = np.arange(n_sites)
    matrix: Complex = (parts[0] + 1j * parts[1]) / (1.0 + np.abs(sites[:, None] - sites))
    return 0.5 * (matrix + matrix.conj().T)


def _chain(n_sites: int, given: Mapping[str, Any], _rng: np.random.Generator) -> NDArray[Any]:
    bonds = np.diag(np.full(n_sites - 1, given["hopping"]), 1)
    matrix: NDArray[Any] = np.diag(np.full(n_sites, given["level"])) + bonds + bonds.T
    return matrix


def _pair(n_sites: int, given: Mapping[str, Any], _rng: np.random.Generator) -> NDArray[Any]:
    if n_sites != 2:
        raise InputError(f"n_sites = {n_sites}: a pair has 2 sites")
    half, hopping = 0.5 * given["detuning"], given["hopping"]
    return np.array([[given["level"] + half, hopping], [hopping, given["level"] - half]])


def _tilted(n_sites: int, given: Mapping[str, Any], _rng: np.random.Generator) -> NDArray[Any]:
    levels = given["detuning"] * (0.5 - np.arange(n_sites) / max(1, n_sites - 1))
    matrix: NDArray[Any] = np.diag(levels) + given["hopping"] * ring(n_sites, given["flux"])
    return matrix


SYSTEMS: Mapping[str, System] = MappingProxyType(
    {
        "dirac_syk2": System(
            "Dirac-SYK2",
            "n_sites",
            {},
            lambda size, _, rng: dirac_syk2(size, seed=rng).hamiltonian,
            is_drawn=True,
        ),
        "anderson3d": System(
            "3D Anderson",
            "length",
            {"disorder": None},
            lambda size, given, rng: anderson3d(size, given["disorder"], seed=rng).hamiltonian,
            is_drawn=True,
            n_sites=lambda size: size**3,
        ),
        "ring": System(
            "ring",
            "n_sites",
            {"flux": 0.0},
            lambda size, given, _: ring(size, given["flux"]),
            is_drawn=False,
        ),
        "random": System(
            "random complex h",
            "n_sites",
            {},
            lambda size, _, rng: power_law(size, rng),
            is_drawn=True,
        ),
        "chain": System(
            "chain", "n_sites", {"hopping": 1.0, "level": 0.0}, _chain, is_drawn=False
        ),
        "pair": System(
            "two sites",
            "n_sites",
            {"detuning": 0.0, "hopping": None, "level": 0.0},
            _pair,
            is_drawn=False,
        ),
        # Levels from δ/2 to −δ/2 in equal steps around a ring.
        "tilted-ring": System(
            "tilted ring",
            "n_sites",
            {"detuning": 0.0, "hopping": None, "flux": 0.0},
            _tilted,
            is_drawn=False,
        ),
    }
)


SEED = said(
    "an integer >= 0", "drawn Hamiltonians are drawn from it, with model, numbers and size", ""
)
_MEANINGS = {
    "disorder": Key("W >= 0: energies of sites are uniform in [−W, W]", "J"),
    "hopping": Key("hopping of neighbours", "J"),
    "level": Key("mean energy of the sites", "J"),
    "detuning": Key("energy of the first site less that of the last", "J"),
    "flux": Key("phase of a particle that goes around; 0 and π make pairs of equal levels", "rad"),
    "coupling": Key("J_int >= 0: D(ω) goes with its square", ""),
    "cutoff": Key("ω_c > 0, where D(ω) ends", "J"),
    "exponent": Key("s of D(ω) ∝ ω^s, from 0.1 to 20", ""),
    "strength": Key("κ >= 0 of D(ω) = κ ω³ e^{−ω/ω_c}", "1/J²"),
    "height": Key("D >= 0 at the centre of the band", "J"),
    "half_width": Key("half the width of the band, > 0", "J"),
    "centre": Key("centre of the band", "J"),
}


_SIZES = {"n_sites": "number of sites N", "length": "length L of the cube, of N = L³ sites"}


def _with_defaults(takes: str, defaults: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: Annotated[Any, takes, replace(_MEANINGS[name], default=default)]
        for name, default in defaults.items()
    }


def model_keys(model: str) -> dict[str, Any]:
    """Types of the keys that every table of one of `SYSTEMS` has."""
    system = SYSTEMS[model]
    numbers = {key: REQUIRED if own is None else own for key, own in system.numbers.items()}
    found = {
        "model": said(f"one of {', '.join(SYSTEMS)}", "the Hamiltonian", ""),
        system.size: said("an integer >= 1, or a list of them", _SIZES[system.size], ""),
        **_with_defaults("a number, or a list of them", numbers),
    }
    if system.is_drawn:
        found["samples"] = said("an integer >= 1", "draws of the disorder of every size", "", 1)
    return found


def reservoir_keys(density: str) -> dict[str, Any]:
    """Types of the keys of the table of a reservoir with one of `DENSITIES`."""
    own = fields(DENSITIES[density])  # type: ignore[arg-type]
    defaults = {each.name: REQUIRED if each.default is MISSING else each.default for each in own}
    return {
        "density": said(f"one of {', '.join(DENSITIES)}", "form of D(ω)", ""),
        "beta": said("a number > 0, or inf", "inverse temperature", "1/J"),
        "chemical_potential": said("a number", "μ", "J", 0.0),
        **_with_defaults("a number", defaults),
    }


def build_hamiltonian(settings: Mapping[str, Any], given: Mapping[str, Any]) -> Any:
    """The Hermitian matrix of a case: model, its size and numbers, and the sample if drawn."""
    system = SYSTEMS[given["model"]]
    numbers = {key: given[key] for key in system.numbers}
    size = given[system.size]
    # Drawn from the system alone: what else a case changes leaves the disorder as it is.
    words = sample_entropy(settings["seed"], given["model"], numbers, size, given.get("sample", 0))
    return system.build(size, numbers, generator(words))


def title_of(given: Mapping[str, Any]) -> str:
    """Of the system of a case without its size, as a report calls it."""
    system = SYSTEMS[given["model"]]
    symbols = {"disorder": "W", "detuning": "δ"}
    words = [
        f"{symbols.get(key, key)} = {given[key]:g}"
        for key, default in system.numbers.items()
        if key in given and (given[key] != default or key == "detuning")
    ]
    return ", ".join([system.title, *words])


def n_sites_of(given: Mapping[str, Any]) -> int:
    """Number of sites N of a case."""
    system = SYSTEMS[given["model"]]
    return system.n_sites(given[system.size])


def expand_system(
    where: str, table: Mapping[str, Any], extra: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """What a table says of its systems, one a combination of the values that it lists.

    extra: types of other keys of the table, passed by here.  Sizes ascend outermost, samples
    innermost.  Raises TypeError or ValueError.
    """
    check_present(where, table, ["model"])
    model = arguments.choice(f"{where}.model", table["model"], tuple(SYSTEMS))
    system = SYSTEMS[model]
    check_keys(where, dict(table), {**model_keys(model), **extra})
    sizes = [
        arguments.integer(f"{where}.{system.size}", size, 1) for size in listed(table[system.size])
    ]
    if len(set(sizes)) != len(sizes) or not sizes:
        raise InputError(f"{where}.{system.size} = {sizes}: one or more distinct sizes are needed")
    found: list[dict[str, Any]] = [{"model": model, system.size: size} for size in sorted(sizes)]
    for key, default in system.numbers.items():
        values = distinct_reals(f"{where}.{key}", table.get(key, default))
        found = [{**each, key: value} for each in found for value in values]
    if system.is_drawn:
        samples = arguments.integer(f"{where}.samples", table.get("samples", 1), 1)
        found = [{**each, "sample": sample} for each in found for sample in range(samples)]
    for each in found:
        if n_sites_of(each) <= _SMALL:
            # The system itself knows its bounds.
            build_hamiltonian({"seed": 0}, each)
    return found


_SMALL = 64


def tables_of(
    table: Mapping[str, Any], key: str, needed: bool = True
) -> list[tuple[str, dict[str, Any]]]:
    """(where, table) of every [[key]] table.  Raises TypeError."""
    given = table.get(key, [])
    if not isinstance(given, list) or (needed and not given):
        raise InputTypeError(f"{key}: one or more [[{key}]] tables are needed")
    places = [f"{key}[{index}]" for index in range(len(given))]
    return [(where, checked(where, one, dict)) for where, one in zip(places, given)]


def check_present(where: str, table: Mapping[str, Any], keys: Iterable[str]) -> None:
    """Raises ValueError for the first key that is missing."""
    for key in keys:
        if key not in table:
            raise InputError(f"{where}: key {key!r} is missing")


def distinct_reals(where: str, value: object) -> list[float]:
    """One real number or a list of different ones.  Raises TypeError or ValueError."""
    numbers = [arguments.real(where, entry) for entry in listed(value)]
    if not numbers or len(set(numbers)) != len(numbers):
        raise InputError(f"{where} = {numbers}: one or more distinct numbers are needed")
    return numbers


def check_reservoir(where: str, value: object, statistics: str) -> dict[str, Any]:
    """A table as `build_reservoir` takes it, checked by building it.  TypeError or ValueError."""
    table = checked(where, value, dict)
    check_present(where, table, ["density"])
    name = arguments.choice(f"{where}.density", table["density"], tuple(DENSITIES))
    check_keys(where, table, reservoir_keys(name))
    with said_of(where):
        build_reservoir(table, statistics)
    return table


def build_reservoir(table: Mapping[str, Any], statistics: str) -> Reservoir:
    """density, its parameters, beta and chemical_potential -> Reservoir."""
    outside = ("density", "beta", "chemical_potential")
    own = {key: value for key, value in table.items() if key not in outside}
    density = DENSITIES[table["density"]](**own)
    return Reservoir(density, table["beta"], table.get("chemical_potential", 0.0), statistics)
