"""Studies from Python: the store, the resumption and the report of `manybody run`."""

import contextlib
import threading
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from manybody.errors import InputError, InputTypeError
from manybody.parallel.collective import on_every_rank, rank_of, together
from manybody.parallel.signals import StopRequest, never
from manybody.physics import arguments
from manybody.report.datasets import StoreDatasets, open_store
from manybody.report.writing import write_report
from manybody.solve.datasets import load_xarray
from manybody.study.configuration import Study
from manybody.study.model_loading import load_own_models, with_own_models
from manybody.study.parsing import (
    find_study,
    load_toml,
    parse_group_size,
    parse_study,
    parse_table,
)
from manybody.study.store import Store
from manybody.study.whole_runs import prepare_whole, run_whole
from manybody.system.communicator import Communicator, check_communicator


def run_study(
    study: str | Path | Mapping[str, Any],
    directory: str | Path,
    comm: Communicator | None = None,
    threads: int = 1,
    group_size: int | str | None = None,
    report: bool = True,
    quiet: bool = True,
    allow_code: bool = False,
    models: str | Path | None = None,
) -> StoreDatasets:
    """Compute a study, or what its store lacks, and open it as `open_store` does.

    Parameters
    ----------
    study : str, Path or mapping
        A built-in study by name, a TOML file, a TOML text of several lines, or its tables as a
        mapping.
    directory : str or Path
        The store, as `manybody run --out`, made if needed.
    comm : mpi4py communicator or None, default None
        Its ranks all call this.
    threads : int, default 1
        Of BLAS, each rank.
    group_size : int, "auto" or None, default None
        Ranks that share a sample, instead of the study's.
    report : bool, default True
        Write DIR/report.
    quiet : bool, default True
        Log no progress (logger "manybody").
    allow_code : bool, default False
        Run the modules that the study names as models, which may do anything.
    models : str, Path or None, default None
        Folder of its modules and files; None for that of the study file, or the current one.

    Returns
    -------
    StoreDatasets
        As of `open_store`.

    Raises
    ------
    InputError
        What `manybody run` refuses, before anything is written and on every rank.
    Unavailable
        There is no xarray.

    Warns
    -----
    UserWarning
        Samples have failed, or are missing after a signal.

    Notes
    -----
    Ends early on SIGTERM or SIGUSR1 where this is the main thread; the next call goes on.

    Examples
    --------
    >>> import tempfile
    >>> import manybody as mb
    >>> study = {
    ...     "name": "own",
    ...     "seed": 7,
    ...     "samples": 2,
    ...     "times": {"start": 0.0, "stop": 10.0, "count": 3},
    ...     "bath": {"coupling": 0.2, "cutoff": 10.0, "beta": 5.0},
    ...     "systems": [{"model": "dirac_syk2", "n_sites": [4]}],
    ... }
    >>> with tempfile.TemporaryDirectory() as results:
    ...     data = mb.run_study(study, results, report=False)
    ...     data.only(size=4).trace_distance.shape
    (2, 1, 3)
    """

    check_communicator(comm)

    def request() -> tuple[Study, str, Path]:
        load_xarray()
        arguments.integer("threads", threads, 1)
        for name, value in (("report", report), ("quiet", quiet), ("allow_code", allow_code)):
            arguments.boolean(name, value)
        arguments.path("directory", directory)
        if models is not None:
            arguments.path("models", models)
        parsed, text, folder = _read(study)
        if group_size is not None:
            parsed = replace(parsed, group_size=parse_group_size(group_size, parsed.stepper))
        folder = folder if models is None else Path(models)
        return with_own_models(parsed, folder, allow_code), text, folder

    wanted, text, folder = together(comm, request)
    on_every_rank(comm, lambda: load_own_models(wanted, folder, allow_code))
    store = Store(directory)
    with _stopping() as stop:
        prepared = prepare_whole(wanted, store, comm, text)
        done = run_whole(prepared, comm, threads, quiet, (0, 1), stop, text)
    if rank_of(comm) == 0:
        if report and done.there and not (done.stopped and done.missing):
            write_report(store)
        if done.missing:
            why = f"stopped by {done.stopped}, " if done.stopped else ""
            message = f"{why}{done.missing} samples are missing: the same call goes on"
            warnings.warn(message, stacklevel=2)
        if done.failed:
            place = store.directory / "failures"
            message = f"{done.failed} samples have failed, see {place}; the next call tries again"
            warnings.warn(message, stacklevel=2)
    if comm is not None:
        comm.Barrier()
    return open_store(directory)


def _read(study: Any) -> tuple[Study, str, Path]:
    """The study, its text and where its models lie."""
    if isinstance(study, Mapping):
        table = _as_toml(study)
        _check_kind(table)
        return parse_table(table, "study", Path()), "", Path()
    if not isinstance(study, (str, Path)):
        raise InputTypeError(
            f"study of type {type(study).__name__}: a name, a TOML file, a TOML text or a mapping "
            "is needed"
        )
    if isinstance(study, str) and "\n" in study:
        text, origin, folder = study, "study", Path()
    else:
        text, origin = find_study(str(study))
        folder = Path(study).parent if Path(study).is_file() else Path()
    _check_kind(load_toml(text, origin))
    return parse_study(text, origin, folder), text, folder


def _as_toml(value: Any) -> Any:
    """Mappings, tuples and what NumPy has, as a TOML file would give them."""
    if isinstance(value, Mapping):
        return {key: _as_toml(own) for key, own in value.items()}
    if isinstance(value, (list, tuple)):
        return [_as_toml(own) for own in value]
    return value.tolist() if isinstance(value, (np.ndarray, np.generic)) else value


def _check_kind(table: Mapping[str, Any]) -> None:
    if table.get("kind", "samples") != "samples":
        raise InputError(
            f"kind = {table['kind']!r}: a study of cases is run by `manybody run`, not from Python"
        )


@contextlib.contextmanager
def _stopping() -> Iterator[Callable[[], str]]:
    """Signals that end a run, where Python lets somebody listen."""
    if threading.current_thread() is not threading.main_thread():
        yield never
        return
    with StopRequest() as stop:
        yield stop
