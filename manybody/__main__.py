"""python -m manybody, and the command manybody: what must come before NumPy is imported."""

import sys

from manybody.parallel.signals import listen_early
from manybody.system.limits import too_little_address_space


def main() -> int:
    """Run the command line; returns its exit code."""
    if sys.argv[1:2] == ["run"]:
        listen_early()
    if why := too_little_address_space():
        print(f"manybody: {why}", file=sys.stderr, flush=True)
        return 1
    from manybody.cli import main as command

    return command()


if __name__ == "__main__":
    sys.exit(main())
