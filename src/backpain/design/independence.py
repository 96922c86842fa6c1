"""Whether two categories have to do with one another, by the sample's own design."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy.stats import chi2, f

from backpain.design.domains import groups_of, shares
from backpain.design.stages import Numbers
from backpain.design.variance import Sampling


class RaoScott(NamedTuple):
    """Rao and Scott's tests of a table of two categories.

    Attributes
    ----------
    statistic, numerator_df, denominator_df, p
        The second-order corrected F (Thomas and Rao 1987, JASA 82:630), as R's `svychisq(statistic = "F")`.
    pearson, pearson_df, first_order_p
        Pearson's X2 of the weighted shares as if of a simple random sample, and the chi-squared p of it over the
        mean design effect, as `statistic = "Chisq"`.
    """

    statistic: float
    numerator_df: float
    denominator_df: float
    p: float
    pearson: float
    pearson_df: int
    first_order_p: float


def rao_scott(rows: ArrayLike, columns: ArrayLike, design: Sampling, domain: ArrayLike | None = None) -> RaoScott:
    """Test whether two categories are independent in a domain.

    Rao and Scott 1984, Ann Stat 12:46: the eigenvalues of the design-effect matrix of the interaction's contrasts
    say what Pearson's statistic is distributed as.

    Parameters
    ----------
    rows, columns
        (people,) categories; they may be missing outside the domain only.

    Raises
    ------
    ValueError
        If a category has a single level in the domain, or is missing for somebody there.
    """
    members = design.members(domain)
    (row, row_names), (column, column_names) = groups_of(rows, members), groups_of(columns, members)
    if not row_names or not column_names:
        raise ValueError("domain: nobody is in it; widen the domain")
    if len(row_names) < 2 or len(column_names) < 2:
        lacking = row_names if len(row_names) < 2 else column_names
        raise ValueError(f"independence: everyone in the domain has {lacking[0]!r}; a test needs two categories")
    width = len(column_names)
    cells = np.where(members, row * width + column, -1)
    table = shares((cells, list(range(len(row_names) * width))), design)
    p, people = table.estimate, int(table.people[0])
    contrasts = _interaction(len(row_names), width)
    inverse = np.where(p > 0, 1 / np.where(p > 0, p, 1.0), 0.0)
    simple = contrasts.T @ (inverse[:, None] / people * contrasts)
    design_based = contrasts.T @ (inverse[:, None] * table.covariance * inverse[None, :] @ contrasts)
    effects = np.linalg.solve(simple, design_based)
    first, second = float(np.trace(effects)), float(np.trace(effects @ effects))
    pearson = people * _pearson(p.reshape(len(row_names), width))
    df, nu = first**2 / second, int(table.df[0])
    statistic, corrected = pearson / first, pearson / (first / len(effects))
    return RaoScott(
        statistic,
        df,
        df * nu,
        float(f.sf(statistic, df, df * nu)),
        pearson,
        len(effects),
        float(chi2.sf(corrected, len(effects))),
    )


def _pearson(share: Numbers) -> float:
    """Pearson's X2 of a table of shares, for one person."""
    expected = np.outer(share.sum(1), share.sum(0))
    return float(((share - expected) ** 2 / expected).sum())


def _interaction(rows: int, columns: int) -> Numbers:
    """(cells, (rows - 1)(columns - 1)) contrasts orthogonal to rows and columns."""
    levels = pd.MultiIndex.from_product([range(rows), range(columns)])
    row, column = (np.asarray(levels.get_level_values(place)) for place in (0, 1))
    of_row = (row[:, None] == np.arange(1, rows)).astype(float)
    of_column = (column[:, None] == np.arange(1, columns)).astype(float)
    main = np.column_stack([np.ones(len(row)), of_row, of_column])
    both = np.einsum("ij,ik->ijk", of_row, of_column).reshape(len(row), -1)
    return np.asarray(both - main @ np.linalg.lstsq(main, both, rcond=None)[0])


__all__ = ["RaoScott", "rao_scott"]
