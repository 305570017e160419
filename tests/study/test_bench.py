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
        [sys.executable, SCRIPT, *arguments], capture_output=True, text=True, timeout=300,
        env={**os.environ, "PYTHONPATH": str(SCRIPT.parents[1])},
    )  # fmt: skip


def test_sections_json_and_comparison(tmp_path):
    done = bench("--quick", "--only", "memory", "--out", str(tmp_path))
    assert done.returncode == 0, done.stderr
    content = json.loads((tmp_path / "bench.json").read_text())
    assert content["machine"]["blas_core"]
    assert all(row["low"] <= row["value"] <= row["high"] for row in content["rows"])
    assert content["rows"][0]["value"] > 0.0
    assert (tmp_path / "bench.png").stat().st_size > 10_000

    # Half the memory before: a change for the worse by two.
    for row in content["rows"]:
        row.update(value=0.5 * row["value"], low=0.5 * row["low"], high=0.5 * row["high"])
    (tmp_path / "old.json").write_text(json.dumps(content))
    done = bench(
        "--quick", "--only", "memory", "--out", str(tmp_path),
        "--against", str(tmp_path / "old.json"),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    lines = [line for line in done.stdout.splitlines() if " -> " in line]
    assert len(lines) == len(content["rows"])
    assert all(0.4 < float(line.split()[0]) < 0.6 for line in lines)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [(("--only", "magic"), "magic.*applications"), (("--against", "nowhere.json"), "nowhere")],
)
def test_bad_arguments_are_refused_before_any_work(arguments, words):
    done = bench(*arguments)
    assert done.returncode == 2
    assert re.search(words, done.stderr)
