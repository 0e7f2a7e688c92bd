"""The command line: ``tabgan synthesize``, ``sample``, ``info``, ``evaluate`` and ``demo``."""

from tabgan.cli.parser import main

__all__ = ["main"]
