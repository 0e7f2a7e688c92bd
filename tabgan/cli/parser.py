"""Arguments and exit codes."""

from __future__ import annotations

import argparse
import os
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tabgan import __version__
from tabgan.cli import commands
from tabgan.cli.errors import InputError, one_line


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line.

    Parameters
    ----------
    argv : sequence of str or None, default=None
        The arguments; None takes those of the process.

    Returns
    -------
    status : int
        0 if the command succeeded, 1 if its work failed, 2 if an argument or an input file cannot
        be used, 130 if the user interrupted the command.

    Raises
    ------
    SystemExit
        After ``--help`` and ``--version`` with status 0; with status 2 if argparse refuses the
        arguments.

    Examples
    --------
    >>> from tabgan.cli import main
    >>> main(["evaluate", "real.csv", "real.csv"])
    2
    """
    args = _parser().parse_args(argv)
    with warnings.catch_warnings():
        warnings.showwarning = _show_warning
        try:
            args.command(args)
            sys.stdout.flush()
        except BrokenPipeError:
            # The reader of the output, such as `head`, has gone. Python would report the output
            # that is left when it exits, so that output is sent nowhere.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 1
        except KeyboardInterrupt:
            print("tabgan: interrupted", file=sys.stderr)
            return 130
        except Exception as error:
            if args.debug:
                raise
            message = one_line(error) or type(error).__name__
            print(f"tabgan: error: {message}", file=sys.stderr)
            return 2 if isinstance(error, InputError) else 1
    return 0


def _show_warning(message: Warning | str, *_args: object, **_kwargs: object) -> None:
    """Print a warning as one line, without the line of code that it comes from."""
    print(f"tabgan: warning: {one_line(message)}", file=sys.stderr)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="tabgan", description="Learn a table and make synthetic rows like its own."
    )
    parser.add_argument("--version", action="version", version=f"tabgan {__version__}")
    subparsers = parser.add_subparsers(required=True, metavar="command")
    _add_synthesize(subparsers)
    _add_sample(subparsers)
    _add_info(subparsers)
    _add_evaluate(subparsers)
    _add_demo(subparsers)
    return parser


def _add_synthesize(subparsers: Any) -> None:
    parser = subparsers.add_parser(
        "synthesize",
        help="learn a table and write synthetic rows",
        description="Learn a table and write synthetic rows like its own. "
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
    parser.add_argument(
        "--privacy",
        choices=["standard", "none"],
        help="standard leaves out what fewer than five rows share, none leaves out nothing "
        "(default: standard)",
    )
    parser.add_argument("--save", type=Path, metavar="MODEL", help="also save the fitted model")
    parser.add_argument(
        "--licence", metavar="TEXT", help="licence that the card of the saved model names"
    )
    _add_seed(parser)
    _add_training(parser)
    _add_debug(parser)
    parser.set_defaults(command=commands.synthesize)


def _add_sample(subparsers: Any) -> None:
    parser = subparsers.add_parser(
        "sample",
        help="write synthetic rows of a saved model",
        description="Write synthetic rows of a model saved by 'tabgan synthesize --save'.",
    )
    parser.add_argument("model", type=Path, help="file of the model")
    parser.add_argument(
        "--rows", type=_positive, metavar="N", help="rows to write (default: those of --conditions)"
    )
    parser.add_argument(
        "--resume",
        action="store_true",
        help="go on with a file that an interrupted call with the same arguments left unfinished",
    )
    _add_asking(parser)
    _add_seed(parser)
    _add_device(parser)
    _add_quiet(parser)
    _add_debug(parser)
    parser.set_defaults(command=commands.sample)


def _add_info(subparsers: Any) -> None:
    parser = subparsers.add_parser(
        "info",
        help="print what the file of a model says about it",
        description="Print the card of a saved model: class, versions, parameters, seed, rows "
        "learnt, and what was said when the model was saved. The model itself is not built.",
    )
    parser.add_argument("model", type=Path, help="file of the model")
    parser.add_argument("--json", action="store_true", help="print as JSON")
    _add_debug(parser)
    parser.set_defaults(command=commands.info)


def _add_evaluate(subparsers: Any) -> None:
    parser = subparsers.add_parser(
        "evaluate",
        help="compare a synthetic table with a real one",
        description="Compare a synthetic table with the real table that was learnt.",
    )
    parser.add_argument("real", type=Path, help="table that was learnt")
    parser.add_argument("synthetic", type=Path, help="synthetic table")
    parser.add_argument("--test", type=Path, metavar="TABLE", help="real rows that were not learnt")
    parser.add_argument(
        "--target", metavar="COLUMN", help="column to predict, by learners trained on either table"
    )
    parser.add_argument(
        "--entity", metavar="COLUMN", help="column that tells sequences apart, to judge sequences"
    )
    parser.add_argument(
        "--time", metavar="COLUMN", help="column that orders the rows of a sequence"
    )
    parser.add_argument(
        "--window",
        type=_window,
        metavar="N",
        help="rows of the windows into which longer series are cut; without --entity a table is "
        "one series",
    )
    parser.add_argument(
        "--audit",
        action="store_true",
        help="attack the learnt rows, with those of --test as the control, and print what is found",
    )
    parser.add_argument("--html", type=Path, metavar="FILE", help="write the report as a page")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures as JSON")
    _add_debug(parser)
    parser.set_defaults(command=commands.evaluate)


def _add_demo(subparsers: Any) -> None:
    parser = subparsers.add_parser(
        "demo",
        help="learn the Adult census table and judge synthetic rows",
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
        help="write only rows with this value: 'red', 'red|blue', '30..40', '30..', '<missing>' or "
        "'<present>' (may be repeated)",
    )
    parser.add_argument(
        "--conditions",
        dest="conditions_file",
        type=Path,
        metavar="FILE",
        help="CSV file with one row of conditions for each row to write; an empty cell asks for "
        "nothing",
    )
    parser.add_argument(
        "--rates",
        action="append",
        default=[],
        metavar="COLUMN=VALUE:RATE",
        help="share of the rows with this value, such as 'sick=yes:0.5' (may be repeated)",
    )


def _add_seed(parser: argparse.ArgumentParser, default: int | None = None) -> None:
    parser.add_argument(
        "--seed",
        type=_seed,
        default=default,
        metavar="N",
        help="the same seed gives the same rows "
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
    return _integer(text, 1, 2**31 - 1)


def _window(text: str) -> int:
    return _integer(text, 2, 2**31 - 1)


def _seed(text: str) -> int:
    return _integer(text, 0, 2**32 - 1)


def _integer(text: str, low: int, high: int) -> int:
    """Read an integer from `low` to `high`; argparse prints the error with the argument's name."""
    try:
        value = int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"must be an integer, got {text[:30]!r}") from None
    if not low <= value <= high:
        raise argparse.ArgumentTypeError(f"must be from {low} to {high}, got {text[:30]}")
    return value
