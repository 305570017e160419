"""The benchmark script runs and writes what it promises; how fast is no test's business."""

import importlib.util
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "scripts" / "bench.py"
pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("matplotlib") is None, reason="matplotlib not installed"
)


def bench(*arguments):
    return subprocess.run(
        [sys.executable, SCRIPT, *arguments],
        capture_output=True,
        text=True,
        timeout=300,
        env={**os.environ, "PYTHONPATH": str(SCRIPT.parents[1])},
    )


def test_sections_json_and_comparison(tmp_path):
    done = bench("--quick", "--only", "memory", "--out", str(tmp_path))
    assert done.returncode == 0, done.stderr
    content = json.loads((tmp_path / "bench.json").read_text())
    assert content["machine"]["blas_core"]
    assert all(row["low"] <= row["value"] <= row["high"] for row in content["rows"])
    assert content["rows"][0]["value"] > 0.0
    # Nothing of this section is drawn.
    assert not (tmp_path / "bench.png").exists()

    # Half the memory before: a change for the worse by two.
    for row in content["rows"]:
        row.update(value=0.5 * row["value"], low=0.5 * row["low"], high=0.5 * row["high"])
    (tmp_path / "old.json").write_text(json.dumps(content))
    done = bench(
        "--quick",
        "--only",
        "memory",
        "--out",
        str(tmp_path),
        "--against",
        str(tmp_path / "old.json"),
    )
    assert done.returncode == 0, done.stderr
    lines = [line for line in done.stdout.splitlines() if " -> " in line]
    assert len(lines) == len(content["rows"])
    assert all(0.4 < float(line.split()[0]) < 0.6 for line in lines)


def test_the_figure_shows_what_was_measured(tmp_path):
    spec = importlib.util.spec_from_file_location("rows", SCRIPT.with_name("bench_rows.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    for n in (8, 64):
        facts = {"n": n, "real": False, "stack": 1}
        module.record("applications", f"N={n} fraction", [0.7, 0.8, 0.9], "", "higher", **facts)
    assert module.record("peers", "x over ours, y", [3.0, 5.0, 4.0], "times", "higher") == (
        "4 [3, 5] times"
    )
    module.draw(tmp_path / "bench.png")
    assert (tmp_path / "bench.png").stat().st_size > 20_000


@pytest.mark.parametrize(
    ("arguments", "words"),
    [(("--only", "magic"), "magic.*applications"), (("--against", "nowhere.json"), "nowhere")],
)
def test_bad_arguments_are_refused_before_any_work(arguments, words):
    done = bench(*arguments)
    assert done.returncode == 2
    assert re.search(words, done.stderr)
