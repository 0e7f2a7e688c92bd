"""Tables that are made for benchmarks: what ties their columns is known, and rows never run out."""

from __future__ import annotations

import numpy as np
import pandas as pd


class Shops:
    """Rows of shops: each shop has one colour, and its own mean of x.

    Half of the shops are drawn evenly, half with probability in proportion to 1 / rank.

    Parameters
    ----------
    n_shops : int
    """

    def __init__(self, n_shops: int) -> None:
        rng = np.random.default_rng(99)
        self.n_shops = n_shops
        self.colour, self.mean = rng.integers(0, 12, n_shops), rng.normal(0, 3, n_shops)

    def rows(self, n: int, seed: int) -> pd.DataFrame:
        """Draw rows."""
        rng = np.random.default_rng(seed)
        zipf = 1 / np.arange(1, self.n_shops + 1)
        often = rng.choice(self.n_shops, n, p=zipf / zipf.sum())
        shop = np.where(rng.random(n) < 0.5, rng.integers(0, self.n_shops, n), often)
        return pd.DataFrame(
            {
                "shop": np.char.add("shop", shop.astype(str)),
                "colour": np.char.add("colour", self.colour[shop].astype(str)),
                "x": self.mean[shop] + rng.normal(size=n),
            }
        )

    def ties(self, rows: pd.DataFrame) -> dict[str, float]:
        """Measure how often the colour is the shop's, and R2 of x given the shop."""
        shop = rows["shop"].str[4:].astype(int).to_numpy()
        same = rows["colour"].str[6:].astype(int).to_numpy() == self.colour[shop]
        x = rows["x"].to_numpy()
        r2 = 1 - np.mean((x - self.mean[shop]) ** 2) / x.var()
        return {"tie": float(same.mean()), "r2": float(r2)}


def access_requests(n: int, seed: int) -> pd.DataFrame:
    """Make requests of staff for resources, most of which are granted.

    Ten columns, all categories but the target. Managers belong to departments and departments to
    two larger units. A title goes with a department, has one code and one family, and a
    description goes with a title and a manager. A department asks for resources of its own, some of
    them much more often than others. Whether a request is granted depends on the manager, the
    resource and the title.
    """
    truth = np.random.default_rng(7)
    n_managers, n_departments, n_titles, n_resources = 4300, 450, 340, 7500
    department = truth.integers(0, n_departments, n_managers)
    unit, larger = truth.integers(0, 177, n_departments), truth.integers(0, 128, 177)
    titles = truth.choice(n_titles, (n_departments, 6), p=_zipf(n_titles, 0.8))
    family, code = truth.integers(0, 67, n_titles), truth.permutation(n_titles)
    description = truth.integers(0, 2350, (n_titles, 24))
    resources = truth.choice(n_resources, (n_departments, 60), p=_zipf(n_resources, 0.5))
    of_manager, of_resource = truth.normal(0, 1.2, n_managers), truth.normal(0, 1.2, n_resources)
    of_title = truth.normal(0, 0.7, n_titles)
    rng = np.random.default_rng([seed, 11])
    manager = truth.permutation(n_managers)[rng.choice(n_managers, n, p=_zipf(n_managers, 0.7))]
    at = department[manager]
    title = titles[at, np.minimum(rng.geometric(0.45, n) - 1, 5)]
    slot = np.minimum(rng.geometric(0.07, n) - 1, 59)
    resource = np.where(
        rng.random(n) < 0.85,
        resources[at, slot],
        rng.choice(n_resources, n, p=_zipf(n_resources, 0.9)),
    )
    fits = description[title, (manager + (rng.random(n) < 0.3) * rng.integers(0, 24, n)) % 24]
    odds = 3.4 + of_manager[manager] + of_resource[resource] + of_title[title]
    granted = rng.random(n) < 1 / (1 + np.exp(-odds))
    columns = {
        "resource": resource,
        "manager": manager,
        "larger_unit": larger[unit[at]],
        "unit": unit[at],
        "department": at,
        "title": title,
        "description": fits,
        "family": family[title],
        "code": code[title],
    }
    names = {name: np.char.add(name[0], values.astype(str)) for name, values in columns.items()}
    return pd.DataFrame({"granted": np.where(granted, "yes", "no"), **names})


def _zipf(n: int, power: float) -> np.ndarray:
    rates = np.arange(1, n + 1) ** -power
    return rates / rates.sum()
