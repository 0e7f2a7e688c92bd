"""Which columns rewritings replace, so that all rules of a table are kept together."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence

from tabgan.checks import ParameterError
from tabgan.constraints.base import Constraint, Option, Part
from tabgan.constraints.order import Inequality, Range

MOST_TRIES = 20_000
"""Assignments of columns to rewritings that are looked at before the search gives up."""


def check_circles(rules: Sequence[Constraint]) -> None:
    """Refuse columns that must lie above themselves.

    Parameters
    ----------
    rules : sequence of Constraint

    Raises
    ------
    ValueError
        Names two rules of the circle.
    """
    above: dict[Hashable, list[tuple[Hashable, Constraint]]] = {}
    for rule in rules:
        if not isinstance(rule, Inequality | Range):
            continue
        for low, high, _ in rule.links():
            path = _path(above, high, low)
            if path is not None:
                raise ParameterError(
                    f"constraints: {path[0]} and {rule} clash, for {low!r} would have to be at "
                    f"most {high!r} and {high!r} at most {low!r}; drop one of the two."
                )
            above.setdefault(low, []).append((high, rule))


def _path(
    above: Mapping[Hashable, Sequence[tuple[Hashable, Constraint]]], start: Hashable, end: Hashable
) -> list[Constraint] | None:
    """Find rules that lead upwards from one column to another; None if there are none."""
    seen: set[Hashable] = set()
    waiting: list[tuple[Hashable, list[Constraint]]] = [(start, [])]
    while waiting:
        name, rules = waiting.pop()
        if name == end:
            return rules
        if name in seen:
            continue
        seen.add(name)
        waiting += [(higher, [*rules, rule]) for higher, rule in above.get(name, ())]
    return None


def choose_options(parts: Sequence[Part], keep: set[Hashable]) -> list[Option]:
    """Choose an option for each part so that no column is replaced twice or computed from itself.

    Parameters
    ----------
    parts : sequence of Part
    keep : set of labels
        Columns that no option may replace.

    Returns
    -------
    list of Option
        In an order in which each comes after all from which it reads. A part that is not needed may
        have none.

    Raises
    ------
    ValueError
        A part that needs an option has none; names the part's rule and the rule that it clashes
        with.
    """
    order = sorted(range(len(parts)), key=lambda i: (not parts[i].is_needed, len(parts[i].options)))
    tries = [0]

    def search(place: int, chosen: list[Option]) -> list[Option] | None:
        tries[0] += 1
        if place == len(order) or tries[0] > MOST_TRIES:
            return chosen if place == len(order) else None
        part = parts[order[place]]
        for option in part.options:
            if not keep & set(option.targets) and _fits(option, chosen):
                found = search(place + 1, [*chosen, option])
                if found is not None:
                    return found
        return None if part.is_needed else search(place + 1, chosen)

    found = search(0, [])
    if found is None:
        raise _clash([parts[i] for i in order if parts[i].is_needed], keep)
    return _in_order(found)


def _fits(option: Option, chosen: Sequence[Option]) -> bool:
    """Whether an option can be taken beside others."""
    taken = {name for other in chosen for name in other.targets}
    if taken & set(option.targets):
        return False
    reads = {name: other.reads for other in chosen for name in other.targets}
    waiting, seen = list(option.reads), set()
    while waiting:
        name = waiting.pop()
        if name in option.targets:
            return False
        if name not in seen:
            seen.add(name)
            waiting += reads.get(name, ())
    return True


def _clash(parts: Sequence[Part], keep: set[Hashable]) -> ParameterError:
    """Make the error that names two rules that cannot both be kept."""
    for i, part in enumerate(parts):
        free = [option for option in part.options if not keep & set(option.targets)]
        if not free:
            return ParameterError(
                f"constraints: {part.rule} cannot be kept, for each column that it could compute "
                "is a condition or a label of the generator; leave the rule out."
            )
        for other in parts[:i]:
            others = [option for option in other.options if not keep & set(option.targets)]
            if not any(_fits(option, [one]) for option in free for one in others):
                return ParameterError(
                    f"constraints: {other.rule} and {part.rule} clash, for no column is left that "
                    "one of them could compute without the other; drop one of the two."
                )
    names = [str(part.rule) for part in parts[-2:]]
    return ParameterError(
        f"constraints: {' and '.join(names)} clash with each other or with the other rules, for no "
        "column is left that they could compute; drop one of the two."
    )


def _in_order(options: Sequence[Option]) -> list[Option]:
    """Sort options so that each comes after all from which it reads."""
    waiting, done = list(options), []
    left = {name for option in options for name in option.targets}
    while waiting:
        ready = [option for option in waiting if not left & set(option.reads)]
        done += ready
        left -= {name for option in ready for name in option.targets}
        waiting = [option for option in waiting if option not in ready]
    return done
