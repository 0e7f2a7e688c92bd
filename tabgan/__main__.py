"""Run the command line as ``python -m tabgan``."""

import sys

from tabgan.cli import main

sys.exit(main())
