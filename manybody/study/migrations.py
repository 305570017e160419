"""Formats of stores: what each version wrote, read as a study of today."""

from collections.abc import Callable, Mapping
from typing import Any

from manybody.study.configuration import Study, from_json, hash_of

# 1: keys that came after the first version are left out where they have the values below, in
#    study.json and in the identity of a block.
# 2: every key is there.
# 3: initial_state too.
# 4: expectations too; initial_state may be a file.
# 5: as 4, with other roundings: Davies states of real H come from half the products, λ_min and
#    entropies of many particles from the same eigenvalues, tridiagonal forms by other panels.
FORMAT = 5
_LEFT_OUT_OF_1: Mapping[str, Any] = {
    "initial_beta": None,
    "equations": ["redfield", "davies"],
    "observables": ["trace_distance"],
    "operator": "matrix-free",
    "drop_tolerance": 0.0,
}
_LEFT_OUT_OF_3: Mapping[str, Any] = {"expectations": []}


def _read_1(values: Mapping[str, Any]) -> Study:
    bath = dict(values["bath"])
    systems = [{"changes": {}, **system} for system in values["systems"]]
    rest = {key: value for key, value in values.items() if key not in ("bath", "systems")}
    own = {"bath_type": bath.pop("type"), "bath_parameters": bath, "systems": systems}
    return _read_2({**_LEFT_OUT_OF_1, "group_size": None, "convergence": None, **rest, **own})


def _read_2(values: Mapping[str, Any]) -> Study:
    return _read_3({"initial_state": None, **values})


def _read_3(values: Mapping[str, Any]) -> Study:
    return from_json({**_LEFT_OUT_OF_3, **values})


# Format -> what reads its description of a study.
READERS: Mapping[Any, Callable[[Mapping[str, Any]], Study]] = {
    1: _read_1,
    2: _read_2,
    3: _read_3,
    4: from_json,
    5: from_json,
}


def identity_in(study: Study, store_format: int) -> dict[str, Any]:
    """`Study.identity` as blocks of a format have it.

    A study that a format could not express has an identity there that no block of it has.
    """
    identity = study.identity()
    if store_format < 4:
        identity = _without(identity, _LEFT_OUT_OF_3)
    if store_format < 3 and identity["initial_state"] is None:
        del identity["initial_state"]
    return identity if store_format != 1 else _without(identity, _LEFT_OUT_OF_1)


def _without(identity: Mapping[str, Any], left_out: Mapping[str, Any]) -> dict[str, Any]:
    """What a format has of an identity that leaves out keys of these values."""
    return {
        key: value
        for key, value in identity.items()
        if key not in left_out or value != left_out[key]
    }


def hash_in(study: Study, store_format: int) -> str:
    """`Study.hash` as blocks of a format have it."""
    return hash_of(identity_in(study, store_format))
