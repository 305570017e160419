"""One page of the documentation, run from top to end in the current folder by a process of its
own: what a page registers or imports ends with it.

Launch:  python tests/docs/page_runner.py PAGE, with scripts/ on PYTHONPATH
"""

import contextlib
import doctest
import importlib.util
import io
import os
import re
import subprocess
import sys
from pathlib import Path

import launching
from page_to_notebook import fences_of

# Numbers that are another on every machine.
ROUNDING = re.compile(r"-?\b\d(?:\.\d+)?e-(?:09|[1-9]\d)\b")
# Without a launcher the pages run all the same: results do not depend on ranks.
ALONE = 'mpirun() { shift 2; "$@"; }\n'


def after(word, fence):
    """What a fence says behind `word=`."""
    prefix = f"{word}="
    return [each.removeprefix(prefix) for each in fence.words if each.startswith(prefix)]


def run_shell(fence):
    """What the commands print; they must end as the fence says."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-e", "-c", ("" if launching.can_launch() else ALONE) + fence.text],
        env=launching.environment(PATH=path),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    wanted = int((after("exit", fence) or ["0"])[0])
    assert done.returncode == wanted, f"{done.returncode}: {fence.text}\n{done.stdout}"
    return done.stdout


def run_python(fence, names):
    """What it prints."""
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        exec(compile(fence.text, "<page>", "exec"), names)
    return out.getvalue()


def check_output(shown, printed):
    """`shown` stands in `printed`, "..." for anything, and what is rounding alike."""
    flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    wanted, got = (ROUNDING.sub(" rounding", text) for text in (shown, printed))
    assert doctest.OutputChecker().check_output(f"... {wanted} ...", f"# {got} #", flags), (
        f"the page shows\n{shown}\nand this was printed:\n{printed}"
    )


def run_page(page):
    """Raise AssertionError where something printed is not what the page shows."""
    names, printed = {"__name__": "page"}, None
    for fence in fences_of(page):
        if fence.language == "text" and printed is not None:
            check_output(fence.text, printed)
        if fence.is_shown:
            continue
        printed = None
        if fence.file:
            Path(fence.file).write_text(fence.text, "utf-8")
        elif all(map(importlib.util.find_spec, after("needs", fence))):
            printed = run_shell(fence) if fence.language == "sh" else run_python(fence, names)


if __name__ == "__main__":
    # As a notebook finds what lies beside it.
    sys.path.insert(0, "")
    run_page(Path(sys.argv[1]).read_text("utf-8"))
