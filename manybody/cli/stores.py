"""status, merge, compare-stores, report: what looks at stores."""

import argparse
from collections.abc import Sequence

from manybody.cli.kinds import AnyStore, open_store, pages_of
from manybody.cli.requests import check_formats
from manybody.errors import InputError
from manybody.study.block_store import BlockStore
from manybody.system.communicator import Communicator


def status(options: argparse.Namespace, _comm: Communicator | None) -> int:
    """Print what a store holds and what is missing."""
    from manybody.study.status import status_lines

    print("\n".join(status_lines(open_store(options.directory))), flush=True)
    return 0


def merge(options: argparse.Namespace, _comm: Communicator | None) -> int:
    """Several stores of one study into one; 1 where something was left out."""
    from manybody.study.merging import merge
    from manybody.study.status import status_lines

    sources = [open_store(each) for each in options.directories]
    target = BlockStore(options.out, sources[0].kind)
    merged = merge(sources, target)
    counted = target.kind.counted
    print(f"{merged.copied} blocks copied, {merged.duplicates} duplicate {counted} agree")
    for problem in merged.problems:
        print(f"LEFT OUT: {problem}")
    print("\n".join(status_lines(target)), flush=True)
    return 1 if merged.problems else 0


def compare_stores(options: argparse.Namespace, _comm: Communicator | None) -> int:
    """Print how two stores differ, sample by sample."""
    left, right = open_store(options.left), open_store(options.right)
    if left.kind.name != right.kind.name:
        raise InputError(
            f"{options.left!r} holds a study of kind {left.kind.name!r}, {options.right!r} one "
            f"of {right.kind.name!r}: nothing is the same"
        )
    print("\n".join(left.kind.comparison_lines(left, right)), flush=True)
    return 0


def report(options: argparse.Namespace, _comm: Communicator | None) -> int:
    """Write figures and tables of every store."""
    check_formats(options.format or ())
    stores = [open_store(each) for each in options.directories]
    for store in stores:
        if len(stores) > 1:
            print(f"store {store.directory}")
        if options.figure is None:
            write_report(store, options.format)
            continue
        for path in pages_of(store).write_figure(store, options.figure, options.format):
            print(f"figure: {path}", flush=True)
    return 0


def write_report(store: AnyStore, formats: Sequence[str] | None) -> None:
    """Write the whole report and print where it lies."""
    kinds = {"html": "report", "md": "report", "csv": "table", "parquet": "table", "h5": "table"}
    summary, paths = pages_of(store).write_report(store, formats)
    print(summary)
    for path in paths:
        print(f"{kinds.get(path.suffix[1:], 'figure')}: {path}")
    print(f"data: {store.directory / 'blocks'}", flush=True)
