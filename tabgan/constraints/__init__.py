"""Rules that every synthetic row keeps.

Every synthesizer of tables takes ``constraints=[...]``. The columns of a rule are rewritten before
they are learnt, so that no value of the rewritten columns can break the rule.

Examples
--------
>>> import pandas as pd
>>> from tabgan import AutoregressiveSynthesizer
>>> from tabgan.constraints import Inequality
>>> stays = pd.DataFrame({"arrival": range(20, 60), "departure": range(23, 103, 2)})
>>> rule = Inequality("arrival", "departure")
>>> model = AutoregressiveSynthesizer(n_steps=5, constraints=[rule], random_state=0).fit(stays)
>>> rows = model.sample(100)
>>> bool((rows["arrival"] <= rows["departure"]).all())
True
"""

from __future__ import annotations

from tabgan.constraints.arithmetic import Formula, Product, Sum
from tabgan.constraints.base import CONSTRAINTS, Constraint
from tabgan.constraints.discovery import discover
from tabgan.constraints.formulas import register_formula
from tabgan.constraints.grids import Increment, Weekdays
from tabgan.constraints.keys import Pattern, Predicate, Unique
from tabgan.constraints.levels import FixedCombinations, OneHot
from tabgan.constraints.order import Inequality, Range

__all__ = [
    "CONSTRAINTS",
    "Constraint",
    "FixedCombinations",
    "Formula",
    "Increment",
    "Inequality",
    "OneHot",
    "Pattern",
    "Predicate",
    "Product",
    "Range",
    "Sum",
    "Unique",
    "Weekdays",
    "discover",
    "register_formula",
]
