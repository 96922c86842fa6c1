"""Perfect prediction: finding it, and pseudo-observations against it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]
Codes = NDArray[np.intp]

# Log-odds beyond which a fit is taken to run away to infinity.
FAR = 15.0


def empty_cells(x: Numbers, code: Codes, levels: int) -> list[int]:
    """Indicator rows of x (columns, people) of which all who have them, or all without, lack some level."""
    sides = np.flatnonzero(((x == 0) | (x == 1)).all(axis=1) & (x.min(axis=1) < x.max(axis=1)))
    if not len(sides):
        return []
    hit = (code == np.arange(levels)[:, None]).astype(float)
    having = hit @ x[sides].T
    without = hit.sum(axis=1)[:, None] - having
    return [int(side) for side in sides[((having == 0) | (without == 0)).any(axis=0)]]


def pseudo_observations(x: Numbers, levels: int, observed: Numbers | None = None) -> tuple[Numbers, Codes, Numbers]:
    """Rows that keep every coefficient finite (White, Daniel and Royston 2010, Comput Stat Data Anal 54:2267).

    For each column but the intercept and each level there are two: at the means of all columns, but half a standard
    deviation to either side in that column, within its range. Their weights add up to the number of columns.

    Parameters
    ----------
    x
        (columns, people), the first of them the intercept.
    observed
        (levels,) share of each level, by which the weight is spread (Clogg and others 1991, J Am Stat Assoc
        86:68); None spreads it evenly, as R's `mice` does.

    Returns
    -------
    The rows' matrix (columns, rows), level (rows,) and weight (rows,).
    """
    inner = x[1:]
    p = len(inner)
    centre, spread = inner.mean(axis=1), inner.std(axis=1, ddof=1)
    place = np.repeat(np.arange(p), 2 * levels)
    level = np.tile(np.repeat(np.arange(levels), 2), p)
    side = np.tile([0.5, -0.5], p * levels)
    rows = np.tile(centre[:, None], (1, len(place)))
    rows[place, np.arange(len(place))] += side * spread[place]
    rows = rows.clip(inner.min(axis=1)[:, None], inner.max(axis=1)[:, None])
    share = np.full(levels, 1 / levels) if observed is None else observed
    weight = (p + 1) * share[level] / (2 * p)
    return np.concatenate([np.ones((1, len(place))), rows]), level, weight
