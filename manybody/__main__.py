"""python -m manybody."""

import sys

from manybody.cli import main

if __name__ == "__main__":
    sys.exit(main())
