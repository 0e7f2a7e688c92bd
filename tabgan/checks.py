"""Declared checks of arguments: what each parameter takes, and one error for what it does not.

An estimator declares a rule for each parameter in `_parameter_constraints` and calls
`check_parameters` before any other work. A function calls `check` for its own arguments.
"""

from __future__ import annotations

import difflib
import functools
import inspect
import math
import numbers
import reprlib
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ParamSpec

import numpy as np
import pandas as pd

_Arguments = ParamSpec("_Arguments")

LARGEST = 2**31 - 1
"""The largest size or count that is taken."""

MAX_REPR = 80
"""Characters of a value that an error prints at most."""


class ParameterError(ValueError, TypeError):
    """An argument is not what its parameter takes, in kind or in value."""


@dataclass(frozen=True)
class Rule:
    """What one parameter takes.

    Attributes
    ----------
    description : str
        Completes the sentence "<name> must be ...".
    accepts : callable, object -> bool
    """

    description: str
    accepts: Callable[[Any], bool]

    def __or__(self, other: Rule) -> Rule:
        """Take what either rule takes."""
        return Rule(
            f"{self.description} or {other.description}",
            lambda value: self.accepts(value) or other.accepts(value),
        )


NONE = Rule("None", lambda value: value is None)

FLAG = Rule("True or False", lambda value: isinstance(value, bool | np.bool_))

CALLABLE = Rule("callable", callable)


def integer(least: int, most: int | None = None) -> Rule:
    """Take integers from `least` to `most`, both included; booleans are no integers.

    Without `most`, integers end where those of 32 bits do: no size or count here is larger.
    """
    end = LARGEST if most is None else most

    def accepts(value: Any) -> bool:
        is_integer = isinstance(value, numbers.Integral) and not isinstance(value, bool)
        return is_integer and least <= value <= end

    if most is not None:
        description = f"an integer from {least} to {most}"
    else:
        kinds = {0: "a non-negative integer", 1: "a positive integer"}
        description = kinds.get(least, f"an integer of at least {least}")
    return Rule(description, accepts)


def number(low: float, high: float = math.inf, closed: str = "both") -> Rule:
    """Take finite real numbers of an interval; booleans are no numbers.

    Parameters
    ----------
    low, high : float
        Ends of the interval.
    closed : {"both", "left", "right", "neither"}, default="both"
        Which ends belong to the interval.
    """

    def accepts(value: Any) -> bool:
        if not isinstance(value, numbers.Real) or isinstance(value, bool | np.bool_):
            return False
        try:
            amount = float(value)
        except OverflowError:
            return False
        above = low <= amount if closed in ("both", "left") else low < amount
        below = amount <= high if closed in ("both", "right") else amount < high
        return math.isfinite(amount) and above and below

    if math.isfinite(high):
        brackets = ("[" if closed in ("both", "left") else "(") + (
            "]" if closed in ("both", "right") else ")"
        )
        description = f"a number in {brackets[0]}{low:g}, {high:g}{brackets[1]}"
    elif math.isinf(low):
        description = "a finite number"
    elif closed in ("both", "left"):
        description = f"a finite number of at least {low:g}"
    else:
        description = f"a finite number above {low:g}"
    return Rule(description, accepts)


def choice(*values: str) -> Rule:
    """Take one of several strings."""
    quoted = [f'"{value}"' for value in values]
    description = " or ".join([", ".join(quoted[:-1]), quoted[-1]] if quoted[1:] else quoted)
    return Rule(description, lambda value: isinstance(value, str) and value in values)


def instance(kind: type, description: str) -> Rule:
    """Take instances of a class."""
    return Rule(description, lambda value: isinstance(value, kind))


def having(*methods: str) -> Rule:
    """Take instances, not classes, that have all of some methods."""

    def accepts(value: Any) -> bool:
        return not isinstance(value, type) and all(
            callable(getattr(value, method, None)) for method in methods
        )

    return Rule(f"an object with {' and '.join(methods)}", accepts)


def sequence_of(rule: Rule, description: str, least: int = 0) -> Rule:
    """Take sequences (lists, tuples, arrays, indexes; no strings) of what another rule takes.

    Parameters
    ----------
    rule : Rule
        Of each element.
    description : str
        Of the whole sequence.
    least : int, default=0
        Elements that the sequence has at least.
    """

    def accepts(value: Any) -> bool:
        is_sequence = isinstance(value, Sequence | np.ndarray | pd.Index | pd.Series)
        if not is_sequence or isinstance(value, str | bytes):
            return False
        return len(value) >= least and all(rule.accepts(each) for each in value)

    return Rule(description, accepts)


def array_of(n_dimensions: int, kinds: str) -> Rule:
    """Take arrays of a number of dimensions and of some kinds of dtype, of finite numbers.

    Parameters
    ----------
    n_dimensions : int
    kinds : str
        Characters that NumPy has for kinds of dtypes, such as "f" and "b".
    """

    def accepts(value: Any) -> bool:
        if not isinstance(value, np.ndarray) or value.dtype.kind not in kinds:
            return False
        is_finite = value.dtype.kind != "f" or bool(np.isfinite(value).all())
        return value.ndim == n_dimensions and is_finite

    return Rule(f"an array of {n_dimensions} dimensions and a dtype of {kinds!r}", accepts)


LABEL = Rule(
    "a column label",
    lambda value: isinstance(value, Hashable) and value is not None and value == value,
)
"""Labels of columns: hashable, and neither None nor NaN."""

SEED = Rule(
    "a non-negative integer below 2**32, a numpy RandomState or None",
    lambda value: (
        value is None
        or isinstance(value, np.random.RandomState)
        or integer(0, 2**32 - 1).accepts(value)
    ),
)
"""`random_state` as scikit-learn takes it."""


def check(name: str, value: Any, rule: Rule) -> None:
    """Raise an error that names the argument, what it takes and what it got.

    Raises
    ------
    ParameterError
        The rule does not take the value.
    """
    try:
        is_right = rule.accepts(value)
    except (TypeError, ValueError, AttributeError):
        # Exotic values may refuse comparison; what cannot be compared is not taken.
        is_right = False
    if not is_right:
        raise ParameterError(f"{name} must be {rule.description}, got {short(value)}.")


def check_parameters(estimator: Any) -> None:
    """Check every parameter of an estimator against its declared rule.

    Parameters
    ----------
    estimator : estimator with `get_params` and `_parameter_constraints`
        The latter maps each parameter's name to its `Rule`.

    Raises
    ------
    ParameterError
        The first parameter that its rule does not take.
    """
    rules: Mapping[str, Rule] = estimator._parameter_constraints
    for name, value in estimator.get_params(deep=False).items():
        if name in rules:
            check(name, value, rules[name])


def unexpected_argument(cls: type, name: str) -> TypeError:
    """Make the error for a keyword argument that a class does not have.

    Parameters
    ----------
    cls : type
        Its parameters are read off the signature of ``__init__``.
    name : str
        The argument.

    Returns
    -------
    TypeError
        Names the class, the argument, and the nearest parameter or, if none is near, all of them.

    Examples
    --------
    >>> from tabgan.checks import unexpected_argument
    >>> from tabgan.pipeline import AugmentedClassifier
    >>> unexpected_argument(AugmentedClassifier, "ratoi")
    TypeError("AugmentedClassifier has no parameter 'ratoi'; did you mean 'ratio'?")
    """
    return TypeError(
        f"{cls.__name__} has no parameter {name!r}; "
        f"{suggestion(name, _parameters_of(cls), most=40)}"
    )


def names_unexpected(init: Callable[_Arguments, None]) -> Callable[_Arguments, None]:
    """Let an ``__init__`` raise `unexpected_argument` instead of Python's own error.

    Python's own error names neither the subclass that was called nor the nearest parameter. The
    decorated function keeps its signature, so that scikit-learn and type checkers still read it.
    """
    own = _keywords(inspect.signature(init))

    @functools.wraps(init)
    def checked(*args: _Arguments.args, **kwargs: _Arguments.kwargs) -> None:
        for name in kwargs:
            if name not in own:
                raise unexpected_argument(type(args[0]), name)
        init(*args, **kwargs)

    return checked


def _parameters_of(cls: type) -> list[str]:
    """List what ``__init__`` takes by keyword, and what it hands on to a parent's by ``**``."""
    found: list[str] = []
    for parent in cls.__mro__:
        if parent is object or "__init__" not in vars(parent):
            continue
        signature = inspect.signature(vars(parent)["__init__"])
        found += [name for name in _keywords(signature) if name not in found]
        if all(each.kind is not each.VAR_KEYWORD for each in signature.parameters.values()):
            break
    return found


def _keywords(signature: inspect.Signature) -> list[str]:
    """List the names that a method takes as keyword arguments, that of the object left out."""
    _, *parameters = signature.parameters.values()
    named = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    return [each.name for each in parameters if each.kind in named]


def suggestion(text: str, known: Sequence[str], most: int = 8) -> str:
    """Say which of some known texts may have been meant, or, if none is near, what they are.

    Parameters
    ----------
    text : str
        What was given.
    known : sequence of str
        What could have been given.
    most : int, default=8
        Number of known texts that are listed at most.

    Examples
    --------
    >>> from tabgan.checks import suggestion
    >>> suggestion("colr", ["colour", "size"])
    "did you mean 'colour'?"
    >>> suggestion("age", ["colour", "size"])
    "known are 'colour', 'size'."
    """
    near = difflib.get_close_matches(text, known, n=1)
    if near:
        return f"did you mean {near[0]!r}?"
    listing = ", ".join(short(value) for value in known[:most])
    return f"known are {listing}{', ...' if known[most:] else '.'}"


def short(value: Any) -> str:
    """Print a value in at most `MAX_REPR` characters, whatever its size."""
    if isinstance(value, np.ndarray | pd.DataFrame):
        return f"{type(value).__name__} of shape {value.shape}"
    if isinstance(value, pd.Series | pd.Index):
        return f"{type(value).__name__} of length {len(value)}"
    printer = reprlib.Repr()
    printer.maxstring, printer.maxother, printer.maxlong, printer.maxlevel = 60, 60, 30, 2
    try:
        text = printer.repr(value)
    except Exception:
        # An error must be printed whatever a stranger's __repr__ does.
        text = f"an object of type {type(value).__name__}"
    return text if len(text) <= MAX_REPR else f"{text[: MAX_REPR - 3]}..."


def listed(values: Iterable[Any], most: int = 10) -> str:
    """Print some values as a list, the first few in full and how many more there are.

    Examples
    --------
    >>> from tabgan.checks import listed
    >>> listed(range(100), most=3)
    '[0, 1, 2, ... 97 more]'
    """
    everything = list(values)
    shown = [short(value) for value in everything[:most]]
    if len(everything) > most:
        shown.append(f"... {len(everything) - most} more")
    return f"[{', '.join(shown)}]"
