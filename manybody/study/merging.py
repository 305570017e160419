"""Several stores of one study into one."""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from manybody.errors import InputError
from manybody.parallel.files import listed, write_atomically
from manybody.study.block_files import CorruptBlock, is_intact, range_of
from manybody.study.block_store import BlockStore
from manybody.study.kind import B, P, R, S


@dataclass(frozen=True)
class Merged:
    """What a merge did.

    copied: blocks that were new; duplicates: samples that were there already or came more
    than once and agree; problems: what was left out, and samples that differ.
    """

    copied: int
    duplicates: int
    problems: tuple[str, ...]


def merge(sources: Sequence[BlockStore[S, P, R, B]], target: BlockStore[S, P, R, B]) -> Merged:
    """Copy the blocks of `sources` into `target`, which may exist, and compare duplicates.

    The result depends on the set of stores alone: blocks are files that are copied whole
    and keep their names, so a merge can be repeated, interrupted and done in any order.
    A sample of which two blocks differ stays in both, and reports leave it out.  Records of
    failed samples come along, checkpoints do not.

    Raises ValueError, before anything is written, when a folder is no store or the stores
    belong to different studies.
    """
    everything = [*sources, target] if (target.directory / "study.json").exists() else [*sources]
    study = _common(everything)
    target.check(study)
    problems: list[str] = []
    extended = target.create(study, _text(everything))
    copied = 0
    for source in sources:
        if source.directory.resolve() == target.directory.resolve():
            continue
        for point in source.study.wanted:
            for path in source.block_paths(point):
                copy = target.folder(point) / path.name
                # The name says what must be in it: a damaged copy is written again.
                if is_intact(copy):
                    continue
                try:
                    target.kind.check_block(path, extended, point)
                    content = path.read_bytes()
                except (CorruptBlock, OSError) as error:
                    problems.append(str(error))
                    continue
                write_atomically(copy, content)
                copied += 1
            done = target.finished(point)
            for sample, path in source.failures(point).items():
                copy = target.directory / "failures" / point.name / path.name
                content = path.read_bytes()
                # Of two records of one sample the same stays whatever the order of the stores.
                if sample not in done and not (copy.exists() and copy.read_bytes() <= content):
                    write_atomically(copy, content)
    duplicates = 0
    for point in extended.wanted:
        blocks, wrong = target.read(extended, point)
        problems += wrong
        intact = [path for path in target.block_paths(point) if is_intact(path)]
        copies = Counter(sample for path in intact for sample in range(*range_of(path)))
        # Those that differ are in no block that was read.
        duplicates += sum(copies[int(s)] - 1 for block in blocks for s in block.samples)
        done = target.finished(point)
        for sample, path in target.failures(point).items():
            if sample in done:
                path.unlink(missing_ok=True)
    parts = [_merge_variant(sources, target, name) for name in _variants(sources)]
    return Merged(
        copied + sum(part.copied for part in parts),
        duplicates + sum(part.duplicates for part in parts),
        tuple(problems + [problem for part in parts for problem in part.problems]),
    )


def _variants(stores: Sequence[BlockStore[S, P, R, B]]) -> list[str]:
    """Names of what some of the stores have computed otherwise."""
    folders = [store.directory / "convergence" for store in stores]
    return sorted({path.name for folder in folders for path in listed(folder, "*")})


def _merge_variant(
    sources: Sequence[BlockStore[S, P, R, B]], target: BlockStore[S, P, R, B], name: str
) -> Merged:
    variants = [store.variant(name) for store in sources if store.variant(name).exists]
    return merge(variants, target.variant(name)) if variants else Merged(0, 0, ())


def _common(stores: Sequence[BlockStore[S, P, R, B]]) -> S:
    """The study of all, whatever their order.  Raises ValueError where they differ."""
    studies = [store.study for store in stores]
    for store, study in zip(stores, studies):
        changed = store.kind.changes(studies[0], study)
        if changed:
            raise InputError(
                f"{str(store.directory)!r} holds another study than "
                f"{str(stores[0].directory)!r}: {', '.join(key for key, *_ in changed)} differ"
            )
    ordered = sorted(studies, key=lambda study: json.dumps(study.to_json(), sort_keys=True))
    return stores[0].kind.joined(ordered)


def _text(stores: Sequence[BlockStore[S, P, R, B]]) -> str:
    """The longest study.toml, as the one that asks for most."""
    found = [""]
    for store in stores:
        path = store.directory / "study.toml"
        if path.is_file():
            found.append(path.read_text("utf-8"))
    return max(found, key=lambda text: (len(text), text))
