"""What the tests of conditions share: ways to put them."""

from __future__ import annotations

import pandas as pd

from tabgan.table.conditions import encode_condition

ENCODINGS = ("scalar", "bins", "rank")


def objects(*values):
    """Put values into a column of objects as they are."""
    return pd.Series(list(values), dtype=object)


def condition_for(encoder, name, *values):
    """Encode what one column is asked to be, row by row."""
    return encode_condition(encoder, name, objects(*values))


def stamps(first, last, tz=None):
    """Make a closed interval of dates."""
    return pd.Interval(pd.Timestamp(first, tz=tz), pd.Timestamp(last, tz=tz), closed="both")
