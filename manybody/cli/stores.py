"""status, merge, compare-stores, report: what looks at stores."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from manybody.cli.requests import store_of_samples
from manybody.system.communicator import Communicator


def status(options: argparse.Namespace, _comm: Communicator | None) -> int:
    """Print what a store holds and what is missing."""
    from manybody.papers.kit import running
    from manybody.papers.kit.store import CaseStore, holds_cases
    from manybody.study.status import status_lines
    from manybody.study.store import Store

    if holds_cases(options.directory):
        print("\n".join(running.status_lines(CaseStore(options.directory))), flush=True)
        return 0
    print("\n".join(status_lines(Store(options.directory))), flush=True)
    return 0


def merge(options: argparse.Namespace, _comm: Communicator | None) -> int:
    """Several stores of one study into one; 1 where something was left out."""
    from manybody.study.merging import merge
    from manybody.study.status import status_lines

    target = store_of_samples(options.out)
    merged = merge([store_of_samples(each) for each in options.directories], target)
    print(f"{merged.copied} blocks copied, {merged.duplicates} duplicate samples agree")
    for problem in merged.problems:
        print(f"LEFT OUT: {problem}")
    print("\n".join(status_lines(target)), flush=True)
    return 1 if merged.problems else 0


def compare_stores(options: argparse.Namespace, _comm: Communicator | None) -> int:
    """Print how two stores differ, sample by sample."""
    from manybody.study.differences import comparison_lines

    left, right = store_of_samples(options.left), store_of_samples(options.right)
    lines = comparison_lines(left, right)
    print("\n".join(lines), flush=True)
    return 0


def report(options: argparse.Namespace, _comm: Communicator | None) -> int:
    """Write figures and tables of a store."""
    from manybody.papers.kit.pages import write_page, write_page_figure
    from manybody.papers.kit.store import CaseStore, holds_cases
    from manybody.study.store import Store

    if holds_cases(options.directory):
        cases = CaseStore(options.directory)
        if options.figure is None:
            print_written(*write_page(cases, options.format), cases.directory / "cases")
            return 0
        for path in write_page_figure(cases, options.figure, options.format):
            print(f"figure: {path}", flush=True)
        return 0
    if options.figure is None:
        write_report(Store(options.directory), options.format)
        return 0
    from manybody.report.writing import write_figure

    for path in write_figure(Store(options.directory), options.figure, options.format):
        print(f"figure: {path}", flush=True)
    return 0


def write_report(store: Any, formats: Sequence[str] | None) -> None:
    """Write the whole report and print where it lies."""
    from manybody.report.writing import write_report as write

    print_written(*write(store, formats), store.directory / "blocks")


def print_written(summary: str, paths: Sequence[Path], data: Path) -> None:
    """Print a summary and the files that belong to it."""
    print(summary)
    for path in paths:
        kind = {
            ".html": "report",
            ".md": "report",
            ".csv": "table",
            ".parquet": "table",
            ".h5": "table",
        }.get(path.suffix, "figure")
        print(f"{kind}: {path}")
    print(f"data: {data}", flush=True)
