"""One signature, one docstring and one set of rules for a class that inherits its parameters.

An estimator whose ``__init__`` takes ``**shared`` passes on every parameter that it does not name.
`compose` writes that inheritance out. The signature lists every parameter, as scikit-learn reads
it. The docstring describes every parameter; an inherited one is described in the words of the base
that has it. `_parameter_constraints` holds the rule of every parameter.
"""

from __future__ import annotations

import inspect
import re
from typing import Any

from tabgan.checks import Rule

_HEADING = re.compile(r"^Parameters\n-+\n", re.MULTILINE)
_ENTRY = re.compile(r"^(?=\S)", re.MULTILINE)


def compose(cls: Any) -> None:
    """Complete the signature, the docstring and the rules of a class from its bases.

    In the docstring, the entry ``**shared`` stands for all parameters that the class itself does
    not describe. An entry that has a heading alone takes the description of the base, so that a
    class can state another default without repeating the text.

    Parameters
    ----------
    cls : type
        The class, which is changed in place.
    """
    if "__init__" not in vars(cls):
        # The class gets an `__init__` of its own to carry its signature. The inherited one may
        # belong to a mixin that other classes use with other parameters.
        def __init__(self: Any, **shared: Any) -> None:
            super(cls, self).__init__(**shared)

        __init__.__qualname__ = f"{cls.__qualname__}.__init__"
        cls.__init__ = __init__
    parameters: dict[str, inspect.Parameter] = {}
    rules: dict[str, Rule] = {}
    texts: dict[str, str] = {}
    for base in reversed(cls.__mro__[:-1]):
        rules |= vars(base).get("_parameter_constraints", {})
        for name, text in parameter_texts(vars(base).get("__doc__")).items():
            heading, _, description = text.partition("\n")
            # A class that changes a default alone leaves the description to its base.
            inherited = texts.get(name, "").partition("\n")[2]
            texts[name] = f"{heading}\n{description or inherited}"
        if "__init__" in vars(base):
            own = inspect.signature(vars(base)["__init__"]).parameters
            parameters |= {k: p for k, p in own.items() if p.kind is not p.VAR_KEYWORD}
    del parameters["self"]
    by_keyword = [p for p in parameters.values() if p.kind is p.KEYWORD_ONLY]
    this = inspect.Parameter("self", inspect.Parameter.POSITIONAL_OR_KEYWORD)
    signature = inspect.Signature([this, *by_keyword])
    vars(cls)["__init__"].__signature__ = signature
    cls._parameter_constraints = {name: rule for name, rule in rules.items() if name in parameters}
    if cls.__doc__ and "**shared" in cls.__doc__:
        cls.__doc__ = _with_inherited(cls.__doc__, list(parameters), texts)


def parameter_texts(docstring: str | None) -> dict[str, str]:
    """Split the parameters of a numpydoc docstring into one text for each name.

    Parameters
    ----------
    docstring : str or None
        The docstring of a class.

    Returns
    -------
    dict of str to str
        The heading and the description of each parameter, by name. The entry ``**shared`` is left
        out.
    """
    found = _sections(docstring)
    if found is None:
        return {}
    entries = {}
    for entry in filter(str.strip, _ENTRY.split(found[1])):
        names = entry.partition(":")[0]
        for name in names.split(","):
            entries[name.strip()] = entry.rstrip() + "\n"
    entries.pop("**shared", None)
    return entries


def _sections(docstring: str | None) -> tuple[str, str, str] | None:
    """Split a docstring into the text before its parameters, the parameters, and the text after."""
    if not docstring:
        return None
    text = inspect.cleandoc(docstring)
    heading = _HEADING.search(text)
    if heading is None:
        return None
    after = re.search(r"^\S.*\n-{3,}\n", text[heading.end() :], re.MULTILINE)
    end = heading.end() + after.start() if after else len(text)
    return text[: heading.end()], text[heading.end() : end], text[end:]


def _with_inherited(docstring: str, names: list[str], texts: dict[str, str]) -> str:
    """Describe all parameters: first those of the class itself, then the inherited ones."""
    found = _sections(docstring)
    assert found is not None
    before, _, after = found
    own = [name for name in parameter_texts(docstring) if name in names]
    others = [name for name in names if name not in own and name in texts]
    described: list[str] = []
    for name in own + others:
        if texts[name] not in described:
            described.append(texts[name])
    return f"{before}{''.join(described)}\n{after}"
