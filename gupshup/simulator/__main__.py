"""`python -m gupshup.simulator`: the simulator without Django."""

import sys

from gupshup.simulator.cli import main

if __name__ == "__main__":
    sys.exit(main())
