"""Tables for people: names on the left, numbers on the right, 100 columns at most."""

import textwrap
from collections.abc import Sequence

WIDEST = 100


def folded(rows: Sequence[tuple[str, str]]) -> list[str]:
    """Lines of a table; a name that leaves no room for its numbers has lines of its own.

    rows: name and numbers, the latter of equal widths.
    """
    room = WIDEST - 3 - max(len(numbers) for _, numbers in rows)
    names = [len(name) for name, _ in rows if len(name) <= room]
    width, lines = max(names, default=0), []
    for name, numbers in rows:
        if len(name) > width:
            lines += textwrap.wrap(name, WIDEST - 2, initial_indent="  ", subsequent_indent="    ")
            name = ""
        lines.append(f"  {name:<{width}} {numbers}")
    return lines
