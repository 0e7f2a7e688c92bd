"""The state of a fitted estimator as values and tensors, and an estimator put together from them.

What comes from a file is checked before it is used: types and ranges of values, and the names,
shapes, dtypes and values of tensors. Networks are built only up to the size of the tensors in the
file.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Hashable, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map

from tabgan.checks import Rule, check, instance, integer, number, sequence_of, short
from tabgan.table.columns import NumericColumn
from tabgan.table.format import TableFormat
from tabgan.table.schema import Schema
from tabgan.table.sequences import SequenceFormat

FORMATS: dict[str, Any] = {cls.__name__: cls for cls in (TableFormat, SequenceFormat)}
"""What is kept of the form in which tables came in."""

SPARE_BYTES = 2**24
"""Memory that networks may take beyond that of the tensors in a file, for what is not saved."""

MOST_STEPS = 10**6
"""Most steps of a sequence."""

LARGEST_WEIGHT = 1e9
"""Weight beyond which sums over a layer leave the range of 32 bits; training stays far below."""

LEAST_BYTES = 64
"""Memory that a tensor takes at least, however small it is."""

MOMENTS = frozenset(("step", "exp_avg", "exp_avg_sq"))
"""What the optimiser keeps of each parameter."""

COUNT = integer(0, 2**63 - 1)
"""Seeds, steps and other counts in a file."""

LABELS = sequence_of(
    Rule("a column label", lambda value: isinstance(value, Hashable)), "a list of column labels"
)
"""Labels of columns in a file, which may be NaN."""

_SHARED: dict[str, Rule] = {
    "_seed": COUNT,
    "_n_draws": COUNT,
    "_n_rows": COUNT,
    "n_features_in_": integer(1),
}
"""What every estimator saves, beside the values that its attribute `_saved` names."""

_FIGURES = Rule(
    "a record of numbers by name",
    lambda value: (
        isinstance(value, dict)
        and all(isinstance(k, str) and isinstance(v, int | float) for k, v in value.items())
    ),
)

_TRAINING: dict[str, Rule] = {
    "step": COUNT,
    "seconds": number(0),
    "history": sequence_of(_FIGURES, "a list of records"),
}


class Allowance(TorchDispatchMode):
    """Refuses new tensors beyond an amount of memory, before the memory is taken.

    Each operation is first run on the meta device, on which tensors have shapes and no memory.

    Parameters
    ----------
    n_bytes : int
        Bytes that all tensors which are created from nothing while the allowance is entered take
        together, and that every result of an operation takes by itself.

    Examples
    --------
    >>> import torch
    >>> from tabgan.estimators.restoring import Allowance
    >>> with Allowance(100):
    ...     _ = torch.zeros(20)
    >>> with Allowance(100):
    ...     torch.zeros(10**9)
    Traceback (most recent call last):
    ValueError: its networks are larger than the tensors that it holds
    """

    def __init__(self, n_bytes: int) -> None:
        super().__init__()
        self.n_bytes, self.created = n_bytes, 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Run an operation if its result is small enough."""
        kwargs = kwargs or {}
        if not func.is_view and not func._schema.is_mutable:
            size = _size_of_result(func, args, kwargs)
            if not any(isinstance(each, Tensor) for each in tree_leaves((args, kwargs))):
                self.created += max(LEAST_BYTES, size)
            if max(size, self.created) > self.n_bytes:
                raise ValueError("its networks are larger than the tensors that it holds")
        return func(*args, **kwargs)


def _size_of_result(func: Any, args: Any, kwargs: Any) -> int:
    """Return the bytes that the result of an operation takes; 0 if its values decide that."""

    def plan(value: Any) -> Any:
        return value.to("meta") if isinstance(value, Tensor) else value

    args, kwargs = tree_map(plan, (args, kwargs))
    if "device" in kwargs:
        kwargs["device"] = torch.device("meta")
    try:
        with torch.utils._python_dispatch._disable_current_modes():
            found = func(*args, **kwargs)
    except (NotImplementedError, RuntimeError):
        return 0
    return sum(each.nbytes for each in tree_leaves(found) if isinstance(each, Tensor))


# ---------------------------------------------------------------------- values


def get_values(estimator: Any) -> dict[str, Any]:
    """Return the values of a fitted estimator that are neither learnt by networks nor schemas.

    Parameters
    ----------
    estimator : estimator
        Its attribute `_saved` names values of its own.

    Returns
    -------
    dict of str to object
        Values that have a JSON form.
    """
    values = {name: getattr(estimator, name) for name in (*_SHARED, *estimator._saved)}
    if hasattr(estimator, "feature_names_in_"):
        values["feature_names_in_"] = estimator.feature_names_in_.tolist()
    values["formats"] = {
        name: [type(value).__name__, value.to_dict()]
        for name, value in vars(estimator).items()
        if type(value).__name__ in FORMATS
    }
    return values


def set_values(estimator: Any, values: dict[str, Any]) -> None:
    """Restore the values that `get_values` returned.

    Parameters
    ----------
    estimator : estimator
        With its parameters.
    values : dict of str to object

    Raises
    ------
    ValueError
        A value is not of the kind that its name says.
    """
    for name, rule in {**_SHARED, **estimator._saved}.items():
        check(name, values[name], rule)
        setattr(estimator, name, values[name])
    for name, (kind, form) in values["formats"].items():
        if not re.fullmatch("_format(_b)?|_sequence_format", name):
            raise ValueError(f"{short(name)} is no format of a table")
        setattr(estimator, name, FORMATS[kind].from_dict(form))
    if "feature_names_in_" in values:
        names = values["feature_names_in_"]
        check("feature_names_in_", names, sequence_of(instance(str, "a text"), "a list of texts"))
        estimator.feature_names_in_ = np.array(names, dtype=object)


def check_labels(estimator: Any) -> None:
    """Refuse an estimator whose tables have columns of which its schemas know nothing.

    Raises
    ------
    ValueError
    """
    labels = estimator._format.labels
    names = getattr(estimator, "feature_names_in_", labels)
    if len(labels) != estimator.n_features_in_ or list(names) != labels:
        raise ValueError("the columns of the table are those of another table")
    if not hasattr(estimator, "_schemas"):
        _check_known(labels, estimator.schema_.names)
        return
    names = {name: getattr(estimator, name).names for name in estimator._schemas}
    if "schema_b_" in names:
        _check_known(labels, names["schema_a_"])
        _check_known(estimator._format_b.labels, names["schema_b_"])
        return
    known = [name for of_schema in names.values() for name in of_schema]
    form = getattr(estimator, "_sequence_format", None)
    if "given_schema_" in names:
        _check_lengths(estimator.given_schema_, form)
    if form is None:
        _check_known(labels, known)
        return
    _check_known(list(form.statics), names["given_schema_"])
    known = [*form.statics, *names["schema_"]]
    places = [] if form.entity is None else [form.entity.name]
    places += [] if form.clock is None else [form.clock.column.name]
    known += [name for name in places if name not in known]
    _check_known(labels, known)
    _check_known(list(form.labels), known)


def _check_known(labels: list[Hashable], known: list[Hashable]) -> None:
    """Refuse labels of which one occurs twice or is not known; 1 and True are two labels here."""
    keys, of_known = ([(type(x), x if x == x else None) for x in each] for each in (labels, known))
    numbers, there = Counter(keys), set(of_known)
    for label, key in zip(labels, keys, strict=True):
        if numbers[key] > 1 or key not in there:
            raise ValueError(f"nothing is known of column {short(label)}")


def _check_lengths(schema: Schema, form: SequenceFormat | None) -> None:
    """Refuse sequences without lengths, or with more steps than the longest can have."""
    lengths = schema["length" if form is None else form.length]
    if not isinstance(lengths, NumericColumn) or lengths.kind != "integer":
        raise ValueError("the lengths of sequences are no numbers")
    least, most = (int(end) for end in lengths.ends)
    if not 1 <= least <= most <= MOST_STEPS:
        raise ValueError(f"sequences have from {least} to {most} steps")
    grid = None if form is None or form.clock is None else form.clock.grid
    if grid is not None and len(grid) < most:
        raise ValueError("there are fewer times than steps of the longest sequence")


# ---------------------------------------------------------------------- values and tensors


def get_state(estimator: Any) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Return everything that `fit` learnt, except the schemas.

    Returns
    -------
    tensors : dict of str to Tensor
        Weights and the state of the optimisers.
    values : dict of str to object
        All other state, as values that have a JSON form.
    """
    core = estimator._core
    training = core.training
    tensors = {
        f"{part}.{k}": v
        for part, module in core.modules().items()
        for k, v in module.state_dict().items()
    }
    update = training.update
    tensors |= update.state()
    rates = {name: each.param_groups[0]["lr"] for name, each in update.optimizers.items()}
    values = estimator._get_values()
    values["training"] = {name: getattr(training, name) for name in _TRAINING}
    values["n_made"], values["rates"] = update.n_made, rates
    return tensors, values


def set_state(estimator: Any, tensors: Mapping[str, Tensor], values: dict[str, Any]) -> None:
    """Restore the state that `get_state` returned.

    The estimator must have its parameters and its schemas already, because the networks are built
    from them.

    Raises
    ------
    ValueError
        A value or a tensor is not what the estimator needs.
    Exception
        Of other kinds, where values contradict each other.
    """
    n_bytes = sum(tensor.nbytes for tensor in tensors.values())
    with Allowance(n_bytes + SPARE_BYTES):
        estimator._set_values(values)
    core = estimator._core
    training, update = core.training, core.training.update
    for name, rule in _TRAINING.items():
        check(name, values["training"][name], rule)
        setattr(training, name, values["training"][name])
    for name, rule in (("n_made", COUNT), ("rates", number(0))):
        check_players(name, values[name], update.optimizers, rule)
    update.n_made = values["n_made"]
    left = dict(tensors)
    for part, module in core.modules().items():
        _load_module(part, module, _taken(left, f"{part}."))
    for player, optimizer in update.optimizers.items():
        state = _taken(left, f"optimizer.{player}.")
        _load_optimizer(player, optimizer, state, values["rates"][player])
    if left:
        raise ValueError(f"tensor {short(next(iter(left)))} belongs to nothing")


def check_players(name: str, given: Any, players: Mapping[str, Any], rule: Rule) -> None:
    """Refuse what is not one value for each player of a game.

    Raises
    ------
    ValueError
    """
    if not isinstance(given, dict) or list(given) != list(players):
        raise ValueError(
            f"{name} must have a value for each of {list(players)}, got {short(given)}"
        )
    for player, value in given.items():
        check(f"{name} of {player}", value, rule)


def _taken(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """Take the tensors with a prefix out of a dict, under the rest of their names."""
    names = [name for name in tensors if name.startswith(prefix)]
    return {name[len(prefix) :]: tensors.pop(name) for name in names}


def _load_module(part: str, module: nn.Module, state: dict[str, Tensor]) -> None:
    """Put tensors into a module, after a comparison with the module's own."""
    own = module.state_dict()
    for names, others, told in ((own, state, "missing"), (state, own, "one too many")):
        for name in names:
            if name not in others:
                raise ValueError(f"tensor {short(f'{part}.{name}')} is {told}")
    for name, tensor in state.items():
        place, _, leaf = name.rpartition(".")
        holder = module.get_submodule(place)
        varies = leaf in getattr(holder, "sized_by_data", ())
        shape, wanted = tuple(tensor.shape), tuple(own[name].shape)
        if varies:
            shape, wanted = shape[1:], wanted[1:]
        if shape != wanted or tensor.dtype != own[name].dtype:
            raise ValueError(
                f"tensor {part}.{name} is of shape {tuple(tensor.shape)} and {tensor.dtype}, "
                f"instead of {tuple(own[name].shape)} and {own[name].dtype}"
            )
        if leaf not in getattr(holder, "may_be_infinite", ()):
            _check_finite(f"{part}.{name}", tensor)
    module.load_state_dict(state)
    for name, weight in module.named_parameters():
        if weight.numel() and weight.abs().max() > LARGEST_WEIGHT:
            raise ValueError(f"tensor {part}.{name} has entries beyond {LARGEST_WEIGHT:g}")
    for each in module.modules():
        sound = getattr(each, "check_loaded", None)
        if sound is not None:
            sound()


def _load_optimizer(
    player: str, optimizer: torch.optim.Optimizer, state: dict[str, Tensor], rate: float
) -> None:
    """Put tensors into an optimiser, after a comparison with the parameters that it moves."""
    groups = optimizer.state_dict()["param_groups"]
    parameters = optimizer.param_groups[0]["params"]
    entries: dict[int, dict[str, Tensor]] = {}
    for key, tensor in state.items():
        i, _, name = key.partition(".")
        told = f"optimizer.{player}.{key}"
        if i not in map(str, range(len(parameters))) or name not in MOMENTS:
            raise ValueError(f"tensor {short(told)} is one too many")
        shape = () if name == "step" else parameters[int(i)].shape
        if tuple(tensor.shape) != tuple(shape) or not tensor.is_floating_point():
            raise ValueError(f"tensor {told} is of shape {tuple(tensor.shape)}")
        _check_finite(told, tensor)
        if name != "exp_avg" and (tensor < 0).any():
            raise ValueError(f"tensor {told} has negative entries")
        entries.setdefault(int(i), {})[name] = tensor
    if any(set(moments) != MOMENTS for moments in entries.values()):
        raise ValueError(f"the optimiser of {player} lacks a tensor")
    groups[0]["lr"] = rate
    optimizer.load_state_dict({"state": entries, "param_groups": groups})


def _check_finite(name: str, tensor: Tensor) -> None:
    if tensor.is_floating_point():
        n = int((~torch.isfinite(tensor)).sum())
        if n:
            raise ValueError(f"tensor {name} has {n} entries that are not finite")
