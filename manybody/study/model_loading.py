"""What a study does not say of models that it brings along is found in their code or files."""

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import scipy.linalg

from manybody.errors import InputError
from manybody.physics.models.protocol import Model
from manybody.seeding import generator
from manybody.solve.room import Baths
from manybody.study import matrix_files, model_code
from manybody.study.configuration import Point, Study, System
from manybody.study.own_models import FILES, Facts, MatrixFiles, OwnModel, check_path, is_many
from manybody.study.parsing import check_whole
from manybody.study.structure import MAX_SAMPLES

# Levels of larger systems are bounded by Lanczos: two digits of the bandwidth are enough.
_MOST_LEVELS, _LANCZOS_STEPS = 500, 60


def brings_models(study: Study) -> bool:
    """Whether some system is not one of `FAMILIES`."""
    return any(system.own is not None for system in study.systems)


def with_own_models(study: Study, folder: Path, allow_code: bool) -> Study:
    """The study with what is known of its own models: sizes, samples, sources, facts.

    folder: where their modules and files lie; allow_code: whether code may run.  Every file is
    read and checked; of code the first sample of each size is drawn.  Afterwards this process
    can draw their samples.  Raises InputError, also for what the study then cannot be.
    """
    if not brings_models(study):
        return study
    # Of all of them before any of it runs.
    for system in study.systems:
        if system.own is not None and system.model != FILES:
            model_code.check_consent(system.model, allow_code)
    systems = tuple(_known(study, system, folder, allow_code) for system in study.systems)
    found = replace(study, systems=systems)
    check_whole(found)
    return found


def load_own_models(study: Study, folder: Path, allow_code: bool) -> None:
    """Let this process draw the samples of a study that is known already.

    Raises InputError without consent, and where code or files are no longer those of the study.
    """
    for system in study.systems:
        if system.own is None:
            continue
        if system.model != FILES:
            _check_same(system.model, model_code.load(system.model, folder, allow_code), system)
            continue
        for each in system.own.files:
            for path, digest in zip(each.paths, each.digests):
                check_path(path)
                # Its content is looked at when it is read.
                matrix_files.keep_place(digest, folder / path)


def _check_same(model: str, source: str, system: System) -> None:
    if system.own is not None and source != system.own.source:
        raise InputError(
            f"model = {model!r}: the source is {source[:12]}... here and "
            f"{system.own.source[:12]}... in the study: it has changed"
        )


def _known(study: Study, system: System, folder: Path, allow_code: bool) -> System:
    if system.own is None:
        return system
    if system.model == FILES:
        return _known_files(system, system.own, folder)
    source = model_code.load(system.model, folder, allow_code)
    model_code.check_parameters(system.model, source, dict(system.parameters))
    own = replace(system.own, source=source)
    facts = []
    for size in system.sizes:
        point = Point(system.model, system.parameters, size, system.changes, own)
        entropy = point.entropy(study.seed, 0)
        try:
            model = point.family.draw(size, dict(system.parameters), 0, generator(entropy))
        except RuntimeError as error:
            raise InputError(str(error)) from error
        facts.append(facts_of(size, model))
    return replace(system, own=replace(own, facts=tuple(facts)))


def _known_files(system: System, own: OwnModel, folder: Path) -> System:
    """Files by the size of their matrices, each in the order of the files."""
    paths = matrix_files.find_files(folder, own.wanted)
    if len(paths) > MAX_SAMPLES:
        raise InputError(f"files: {len(paths)} are found, at most {MAX_SAMPLES}")
    found: dict[int, list[tuple[str, str]]] = {}
    facts: dict[int, Facts] = {}
    for path in paths:
        content = matrix_files.content_of(folder / path)
        model = matrix_files.read_model(folder / path, content, own.dataset, own.coupled_sites)
        size, digest = model.dimension, hashlib.sha256(content).hexdigest()
        matrix_files.keep_place(digest, folder / path)
        if size not in facts:
            facts[size] = facts_of(size, model)
        elif facts[size].is_many != is_many(model) or facts[size].n_sites != model.n_sites:
            raise InputError(
                f"{path} has other couplings than {found[size][0][0]}: files of one size are of "
                "one kind"
            )
        elif not model.is_real:
            facts[size] = replace(facts[size], is_real=False)
        found.setdefault(size, []).append((path, digest))
    sizes = tuple(sorted(found))
    files = tuple(MatrixFiles(size, *zip(*found[size])) for size in sizes)
    counts = tuple(len(found[size]) for size in sizes)
    known = replace(own, files=files, facts=tuple(facts[size] for size in sizes))
    samples: Any = counts[0] if len(set(counts)) == 1 else counts
    return replace(system, sizes=sizes, samples=samples, own=known)


def facts_of(size: int, model: Model) -> Facts:
    """What a store keeps of the first sample of a size."""
    baths = Baths.of(model.couplings, False) if is_many(model) else Baths()
    return Facts(
        size,
        model.n_sites,
        model.dimension,
        model.is_real,
        is_many(model),
        bandwidth_of(model),
        baths.number,
        baths.table_bytes,
        getattr(model, "basis", None),
    )


def bandwidth_of(model: Model) -> float:
    """E_max − E_min in J to two digits, so that rounding leaves no trace in the cut of blocks."""
    if model.dimension <= _MOST_LEVELS:
        levels = np.linalg.eigvalsh(model.dense_hamiltonian())
        return float(f"{levels[-1] - levels[0]:.1e}")
    return float(f"{_lanczos_range(model.hamiltonian):.1e}")


def _lanczos_range(hamiltonian: Any) -> float:
    """Of the Ritz values, which come close to the outermost levels first."""
    vector = np.random.default_rng(0).standard_normal(hamiltonian.shape[0])
    current = vector / np.linalg.norm(vector)
    before = np.zeros_like(current)
    diagonal: list[float] = []
    beside: list[float] = []
    for _ in range(_LANCZOS_STEPS):
        following = hamiltonian @ current
        diagonal.append(float(np.vdot(current, following).real))
        following = following - diagonal[-1] * current
        if beside:
            following = following - beside[-1] * before
        size = float(np.linalg.norm(following))
        if size <= 1e-10 * max(map(abs, diagonal)):
            break
        beside.append(size)
        before, current = current, following / size
    levels = scipy.linalg.eigvalsh_tridiagonal(diagonal, beside[: len(diagonal) - 1])
    return float(levels[-1] - levels[0])
