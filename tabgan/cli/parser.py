"""Arguments and exit codes."""

from __future__ import annotations

import argparse
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tabgan import __version__
from tabgan.cli import commands
from tabgan.cli.errors import InputError


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line.

    Parameters
    ----------
    argv : sequence of str or None, default=None
        The arguments; None takes those of the process.

    Returns
    -------
    status : int
        0 if all went well, 1 if the work failed, 2 if an argument or an input file cannot be
        used, 130 if the user interrupted it.

    Raises
    ------
    SystemExit
        After ``--help`` and ``--version`` (0), and where argparse refuses the arguments (2).
    """
    args = _parser().parse_args(argv)
    with warnings.catch_warnings():
        warnings.showwarning = _show_warning
        try:
            args.command(args)
        except KeyboardInterrupt:
            print("tabgan: interrupted", file=sys.stderr)
            return 130
        except Exception as error:
            if args.debug:
                raise
            print(f"tabgan: error: {str(error) or type(error).__name__}", file=sys.stderr)
            return 2 if isinstance(error, InputError) else 1
    return 0


def _show_warning(message: Warning | str, *_args: object, **_kwargs: object) -> None:
    print(f"tabgan: warning: {message}", file=sys.stderr)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="tabgan", description="Learn a table and make rows like it."
    )
    parser.add_argument("--version", action="version", version=f"tabgan {__version__}")
    subparsers = parser.add_subparsers(required=True, metavar="command")
    _add_synthesize(subparsers)
    _add_sample(subparsers)
    _add_evaluate(subparsers)
    _add_demo(subparsers)
    return parser


def _add_synthesize(subparsers: Any) -> None:
    parser = subparsers.add_parser(
        "synthesize",
        help="learn a table and write rows like it",
        description="Learn a table and write rows like it. "
        "Tables are .csv, .csv.gz or .parquet files.",
    )
    parser.add_argument("table", type=Path, help="table to learn")
    parser.add_argument(
        "--rows", type=_positive, metavar="N", help="rows to write (default: as many as are learnt)"
    )
    _add_asking(parser)
    parser.add_argument(
        "--model",
        choices=sorted(commands.MODELS),
        default=commands.DEFAULT_MODEL,
        help="synthesizer; cgan is trained for the conditions asked for "
        f"(default: {commands.DEFAULT_MODEL})",
    )
    parser.add_argument("--save", type=Path, metavar="MODEL", help="also keep the fitted model")
    _add_seed(parser)
    _add_training(parser)
    _add_debug(parser)
    parser.set_defaults(command=commands.synthesize)


def _add_sample(subparsers: Any) -> None:
    parser = subparsers.add_parser(
        "sample",
        help="write rows of a model that was kept",
        description="Write rows of a model kept by 'tabgan synthesize --save'.",
    )
    parser.add_argument("model", type=Path, help="file of the model")
    parser.add_argument("--rows", type=_positive, required=True, metavar="N", help="rows to write")
    _add_asking(parser)
    _add_seed(parser)
    _add_device(parser)
    _add_quiet(parser)
    _add_debug(parser)
    parser.set_defaults(command=commands.sample)


def _add_evaluate(subparsers: Any) -> None:
    parser = subparsers.add_parser(
        "evaluate",
        help="say how like a real table a synthetic one is",
        description="Say how like a real table a synthetic one is.",
    )
    parser.add_argument("real", type=Path, help="table that was learnt")
    parser.add_argument("synthetic", type=Path, help="table that was made")
    parser.add_argument("--test", type=Path, metavar="TABLE", help="real rows that were held out")
    parser.add_argument(
        "--target", metavar="COLUMN", help="column to predict by learners trained on either table"
    )
    parser.add_argument("--html", type=Path, metavar="FILE", help="write the report as a page")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures as JSON")
    _add_debug(parser)
    parser.set_defaults(command=commands.evaluate)


def _add_demo(subparsers: Any) -> None:
    parser = subparsers.add_parser(
        "demo",
        help="learn the Adult census table and judge the rows made",
        description="Learn the Adult census table, which comes with the package, write synthetic "
        "rows and a report, and print how they compare with rows held out.",
    )
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("tabgan-demo"),
        metavar="FOLDER",
        help="folder to write to (default: tabgan-demo)",
    )
    parser.add_argument(
        "--rows", type=_positive, metavar="N", help="rows to write (default: as many as are learnt)"
    )
    _add_seed(parser, default=0)
    _add_training(parser)
    _add_debug(parser)
    parser.set_defaults(command=commands.demo)


def _add_asking(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--out", type=Path, required=True, metavar="TABLE", help="file to write")
    parser.add_argument(
        "--condition",
        dest="conditions",
        action="append",
        default=[],
        metavar="COLUMN=VALUE",
        help="make only rows with this value, or one between two: age=30..40 (may be repeated)",
    )


def _add_seed(parser: argparse.ArgumentParser, default: int | None = None) -> None:
    parser.add_argument(
        "--seed",
        type=_seed,
        default=default,
        metavar="N",
        help="the same seed makes the same rows "
        f"(default: {'another one each time' if default is None else default})",
    )


def _add_training(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--steps", type=_positive, metavar="N", help="training steps (default: the synthesizer's)"
    )
    _add_device(parser)
    _add_quiet(parser)


def _add_device(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or mps (default: auto)")


def _add_quiet(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--quiet", action="store_true", help="no progress bar and no messages")


def _add_debug(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error")


def _positive(text: str) -> int:
    return _integer(text, 1, None)


def _seed(text: str) -> int:
    return _integer(text, 0, 2**32 - 1)


def _integer(text: str, low: int, high: int | None) -> int:
    try:
        value = int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"must be an integer, got {text!r}") from None
    if value < low or (high is not None and value > high):
        bounds = f"at least {low}" if high is None else f"from {low} to {high}"
        raise argparse.ArgumentTypeError(f"must be {bounds}, got {value}")
    return value
