"""Other programs, asked for what they know."""

import subprocess
from typing import Any


def answer_of(
    command: list[str], timeout: float, **options: Any
) -> subprocess.CompletedProcess[str]:
    """What a program says in `timeout` seconds with nothing to read; fails as `subprocess.run`."""
    return subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=timeout,
        **options,
    )
