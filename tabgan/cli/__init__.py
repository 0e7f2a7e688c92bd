"""The command line: ``tabgan synthesize``, ``sample``, ``evaluate`` and ``demo``."""

from tabgan.cli.parser import main

__all__ = ["main"]
