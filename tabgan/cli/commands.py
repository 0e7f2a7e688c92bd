"""The work of each command.

Torch, the models and the evaluation are imported inside the commands, so that help and mistyped
arguments are answered at once.
"""

from __future__ import annotations

import argparse
import inspect
import json
import sys
import time
import warnings
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from tabgan.cli.conditions import parse_conditions, parse_rates, read_conditions
from tabgan.cli.errors import InputError, check_column, printable
from tabgan.cli.files import check_output, check_table_output, read_table, write_table

if TYPE_CHECKING:
    import pandas as pd

    from tabgan.table.schema import Schema

DEFAULT_MODEL = "autoregressive"
"""The synthesizer that is fitted if ``--model`` names none."""

MANY_ROWS = 100_000
"""Rows up to which a table is made at once; more rows are written in parts."""

MODELS = {
    "aae": "AAESynthesizer",
    "arae": "ARAESynthesizer",
    "autoregressive": "AutoregressiveSynthesizer",
    "bigan": "BiGANSynthesizer",
    "cgan": "CGANSynthesizer",
    "cramer": "CramerGANSynthesizer",
    "gan": "GANSynthesizer",
    "infogan": "InfoGANFeaturizer",
    "lsgan": "LSGANSynthesizer",
    "wgan": "WGANSynthesizer",
}
"""Classes of tabgan, by the names that ``--model`` takes."""


def synthesize(args: argparse.Namespace) -> None:
    """Learn a table and write synthetic rows."""
    check_table_output(args.out, args.table)
    if args.licence is not None and not args.save:
        raise InputError("--licence: is written into a saved model; name its file with --save.")
    if args.save:
        check_output(args.save, args.table, args.out)
    table = read_table(args.table)

    from tabgan.table.schema import Schema

    try:
        with warnings.catch_warnings():
            # fit infers the schema once more, and gives the same warnings.
            warnings.simplefilter("ignore")
            schema = Schema.infer(table, arg_name=str(args.table))
    except (TypeError, ValueError) as error:
        raise InputError(error) from error
    conditions, rates = _asked(args, schema)
    settings = {} if args.privacy is None else {"privacy": args.privacy}
    if args.model == "cgan":
        if conditions is None:
            raise InputError(
                "--model cgan learns to make what is asked for; "
                "ask for something with --condition COLUMN=VALUE."
            )
        settings["condition_columns"] = list(conditions)

    model = _fit(args, args.model, table, **settings)
    if args.save:
        model.save(args.save, card=None if args.licence is None else {"licence": args.licence})
    n_rows = args.rows or (len(table) if args.conditions_file is None else 1)
    rows = model.sample(n_rows, random_state=args.seed, conditions=conditions, **rates)
    write_table(rows, args.out)
    _say(args, f"Wrote {len(rows):,} rows to {args.out}.")


def sample(args: argparse.Namespace) -> None:
    """Write synthetic rows of a saved model."""
    import pandas as pd

    check_table_output(args.out, args.model)
    if not args.model.is_file():
        raise InputError(f"{args.model}: there is no such file.")

    from tabgan import load

    try:
        model = load(args.model, device=args.device)
    except (OSError, ValueError) as error:
        raise InputError(f"{args.model}: {error}") from error
    arguments = inspect.signature(getattr(model, "sample", object)).parameters
    if "n_samples" not in arguments:
        raise InputError(f"{args.model}: holds a {type(model).__name__}, which makes no new rows.")
    if args.rows is None and args.conditions_file is None:
        raise InputError("--rows: say how many rows to write, or give --conditions FILE.")
    conditions, rates = _asked(args, model.schema_)
    asked = {"random_state": args.seed, "conditions": conditions, **rates}
    n_rows = len(conditions) if args.conditions_file is not None else args.rows
    if "into" in arguments and (args.resume or n_rows > MANY_ROWS):
        model.set_params(verbose=int(not args.quiet))
        model.sample(args.rows or 1, into=args.out, resume=args.resume, **asked)
    elif args.resume:
        raise InputError(f"--resume: a {type(model).__name__} writes all rows at once.")
    else:
        write_table(pd.DataFrame(model.sample(args.rows or 1, **asked)), args.out)
    _say(args, f"Wrote {n_rows:,} rows to {args.out}.")


def info(args: argparse.Namespace) -> None:
    """Print what the file of a model says about the model."""
    if not args.model.is_file():
        raise InputError(f"{args.model}: there is no such file.")

    from tabgan import read_card

    try:
        card = read_card(args.model)
    except (OSError, ValueError) as error:
        raise InputError(f"{args.model}: {error}") from error
    if args.json:
        print(json.dumps(card, indent=2))
        return
    for line in _lines(card):
        print(line)


def _lines(card: dict[str, Any], indent: str = "") -> Iterator[str]:
    """Write a dict in lines, those of a dict within it further right."""
    for name, value in card.items():
        if isinstance(value, dict) and value:
            yield f"{indent}{printable(name)}:"
            yield from _lines(value, f"{indent}  ")
        else:
            yield f"{indent}{printable(name)}: {printable(value)}"


def evaluate(args: argparse.Namespace) -> None:
    """Compare a synthetic table with the real table that was learnt."""
    inputs = [path for path in (args.real, args.synthetic, args.test) if path]
    for path in (args.html, args.json):
        if path:
            check_output(path, *inputs)
    if args.target is not None and not args.test:
        raise InputError("--target needs real rows to score on; give them with --test TABLE.")
    if args.audit and not args.test:
        raise InputError(
            "--audit needs real rows that were not learnt; give them with --test TABLE."
        )
    real, *others = [read_table(path) for path in inputs]
    for path, table in zip(inputs[1:], others, strict=True):
        absent = [name for name in real if name not in table]
        if absent:
            raise InputError(f"{path}: has no column {absent[0]!r}, which {args.real} has.")
    for name in ("target", "entity", "time"):
        if getattr(args, name) is not None:
            check_column(getattr(args, name), real, f"--{name}")
    if args.time is not None and args.entity is None and args.window is None:
        raise InputError("--time orders the rows of sequences; name their column with --entity.")

    from tabgan.evaluation import evaluate

    synthetic, test = others if args.test else (others[0], None)
    report = evaluate(
        real,
        synthetic,
        test=test,
        target=args.target,
        entity=args.entity,
        time=args.time,
        window=args.window,
        audit=args.audit,
    )
    if args.html:
        report.to_html(args.html)
    if args.json:
        args.json.write_text(json.dumps(report.to_dict(), indent=2) + "\n", encoding="utf-8")
    _print_summary(report.summary())
    if report.audit is not None:
        print()
        _print_summary(report.audit.summary())


def demo(args: argparse.Namespace) -> None:
    """Learn the Adult census table, and compare synthetic rows with real test rows."""
    try:
        args.out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{args.out}: this folder cannot be made ({error.strerror}).") from error
    rows, page = args.out / "synthetic_adult.csv", args.out / "report.html"
    check_table_output(rows)
    check_output(page)

    from tabgan.datasets import load_adult
    from tabgan.evaluation import evaluate

    train, test = load_adult()
    model = _fit(args, DEFAULT_MODEL, train)
    synthetic = model.sample(args.rows or len(train), random_state=args.seed)
    write_table(synthetic, rows)
    _say(args, f"Wrote {rows}; judging it by the {len(test):,} rows held out.")
    report = evaluate(train, synthetic, test=test, target="income", random_state=args.seed)
    report.to_html(page)
    _print_summary(report.summary())
    _say(args, f"Wrote {page}.")


def _asked(args: argparse.Namespace, schema: Schema) -> tuple[Any, dict[str, Any]]:
    """Read what is asked for: conditions, and the argument `rates` of `sample` if there are any."""
    if args.conditions_file is not None and args.conditions:
        raise InputError("--conditions and --condition are both given; put all into the file.")
    if args.conditions_file is None:
        conditions: Any = parse_conditions(args.conditions, schema)
    else:
        conditions = read_conditions(args.conditions_file, schema)
        if args.rows not in (None, len(conditions)):
            raise InputError(
                f"--rows {args.rows}: --conditions has {len(conditions)} rows; leave --rows out."
            )
    rates = parse_rates(args.rates, schema)
    return conditions, {"rates": rates} if rates else {}


def _fit(args: argparse.Namespace, name: str, table: pd.DataFrame, **settings: Any) -> Any:
    """Fit the synthesizer that `MODELS` calls `name`.

    Parameters
    ----------
    args : Namespace
        The arguments of the command: steps, seed, device and quiet.
    name : str
        One of `MODELS`.
    table : DataFrame
        The rows to learn.
    **settings : dict
        Further parameters of the synthesizer.

    Returns
    -------
    synthesizer : synthesizer
        Fitted.
    """
    import tabgan

    if args.steps:
        settings["n_steps"] = args.steps
    synthesizer = getattr(tabgan, MODELS[name])(
        random_state=args.seed, device=args.device, verbose=int(not args.quiet), **settings
    )
    start = time.perf_counter()
    with warnings.catch_warnings():
        # fit itself survives an interrupt: it ends early and warns. The command ends instead.
        warnings.filterwarnings("error", message="training was interrupted")
        try:
            synthesizer.fit(table)
        except UserWarning as warning:
            raise KeyboardInterrupt from warning
    seconds = time.perf_counter() - start
    _say(args, f"Learnt {len(table):,} rows with {name} in {seconds:.0f} s.")
    return synthesizer


def _print_summary(summary: pd.DataFrame) -> None:
    """Print numbers to three decimals and texts flush left."""
    from pandas.api.types import is_numeric_dtype

    for name in summary:
        if not is_numeric_dtype(summary[name]):
            texts = summary[name].astype(str)
            summary[name] = texts.str.ljust(texts.str.len().max())
    print(summary.rename_axis(None).to_string(float_format="{:.3f}".format, justify="left"))


def _say(args: argparse.Namespace, text: str) -> None:
    """Print a message for the user to standard error, as standard output is for results."""
    if not args.quiet:
        print(text, file=sys.stderr)
