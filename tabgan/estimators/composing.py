"""One signature, one docstring and one set of rules for a class that inherits its parameters.

An estimator whose ``__init__`` takes ``**shared`` passes on every parameter that it does not name.
`compose` writes that inheritance out. The signature lists every parameter, as scikit-learn reads
it. The docstring describes every parameter and attribute; an inherited one is described in the
words of the base that has it. `_parameter_constraints` holds the rule of every parameter.
"""

from __future__ import annotations

import inspect
import re
from typing import Any

from tabgan.checks import Rule

_ENTRY = re.compile(r"^(?=\S)", re.MULTILINE)


def compose(cls: Any) -> None:
    """Complete the signature, the docstring and the rules of a class from its bases.

    A class that has no use for some parameters of its bases names them in `_omits`: they are no
    parameters of the class, and keep the defaults of the bases.

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
    attributes: dict[str, str] = {}
    for base in reversed(cls.__mro__[:-1]):
        rules |= vars(base).get("_parameter_constraints", {})
        docstring = vars(base).get("__doc__")
        for name, text in entries(docstring, "Parameters").items():
            heading, _, description = text.partition("\n")
            # A class that changes a default alone leaves the description to its base.
            inherited = texts.get(name, "").partition("\n")[2]
            texts[name] = f"{heading}\n{description or inherited}"
        attributes |= entries(docstring, "Attributes")
        if "__init__" in vars(base):
            own = inspect.signature(vars(base)["__init__"]).parameters
            parameters |= {k: p for k, p in own.items() if p.kind is not p.VAR_KEYWORD}
    for name in ("self", *getattr(cls, "_omits", ())):
        del parameters[name]
    by_keyword = [p for p in parameters.values() if p.kind is p.KEYWORD_ONLY]
    this = inspect.Parameter("self", inspect.Parameter.POSITIONAL_OR_KEYWORD)
    signature = inspect.Signature([this, *by_keyword])
    vars(cls)["__init__"].__signature__ = signature
    cls._parameter_constraints = {name: rule for name, rule in rules.items() if name in parameters}
    if cls.__doc__ and "**shared" in cls.__doc__:
        cls.__doc__ = _completed(cls.__doc__, list(parameters), texts, attributes)


def entries(docstring: str | None, heading: str) -> dict[str, str]:
    """Split a section of a numpydoc docstring into one text for each name.

    Parameters
    ----------
    docstring : str or None
        The docstring of a class.
    heading : str
        The section, such as "Parameters".

    Returns
    -------
    dict of str to str
        The heading and the description of each entry, by name. The entry ``**shared`` is left
        out.
    """
    found = _split(docstring, heading)
    if found is None:
        return {}
    texts = {}
    for entry in filter(str.strip, _ENTRY.split(found[1])):
        names = entry.partition(":")[0]
        for name in names.split(","):
            texts[name.strip()] = entry.rstrip() + "\n"
    texts.pop("**shared", None)
    return texts


def _split(docstring: str | None, heading: str) -> tuple[str, str, str] | None:
    """Split a docstring into the text up to a section's heading, its entries, and what follows."""
    if not docstring:
        return None
    text = inspect.cleandoc(docstring)
    found = re.search(rf"^{heading}\n-+\n", text, re.MULTILINE)
    if found is None:
        return None
    after = re.search(r"^\S.*\n-{3,}\n", text[found.end() :], re.MULTILINE)
    end = found.end() + after.start() if after else len(text)
    return text[: found.end()], text[found.end() : end], text[end:]


def _completed(
    docstring: str, names: list[str], texts: dict[str, str], attributes: dict[str, str]
) -> str:
    """Describe all parameters and attributes: the class's own first, then the inherited ones."""
    own = [name for name in entries(docstring, "Parameters") if name in names]
    order = own + [name for name in names if name not in own and name in texts]
    parts = _split(docstring, "Parameters")
    assert parts is not None
    before, _, after = parts
    described = list(dict.fromkeys(texts[name] for name in order))
    text = f"{before}{''.join(described)}\n{after}"
    own = list(entries(docstring, "Attributes"))
    listed = list(dict.fromkeys(attributes[name] for name in [*own, *attributes]))
    parts = _split(text, "Attributes")
    if parts is None:
        before, old, after = _split(text, "Parameters") or ("", "", "")
        heading = "Attributes\n----------\n"
        return f"{before}{old.rstrip()}\n\n{heading}{''.join(listed)}\n{after}"
    return f"{parts[0]}{''.join(listed)}\n{parts[2]}"
