"""Means, shares, totals and ratios of a domain, with their design-based standard errors."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from backpain.design.proportions import INTERVALS, t_quantile
from backpain.design.sample import Design, Marks, Numbers


@dataclass(frozen=True)
class Estimate:
    """A number with its standard error, degrees of freedom, interval, and the people behind it."""

    estimate: float
    se: float
    df: int
    low: float
    high: float
    people: int


def mean(values: ArrayLike, design: Design, domain: ArrayLike | None = None, level: float = 0.95) -> Estimate:
    """Weighted mean in a domain, with a t-interval on the domain's degrees of freedom.

    Parameters
    ----------
    values
        (people,) numbers; they may be missing outside the domain only.
    domain
        (people,) boolean mask of the people meant; the variance still knows the whole design.

    Raises
    ------
    ValueError
        If a value is missing inside the domain, or the domain has no weight.
    """
    return ratio(values, np.ones(len(design.weight)), design, domain, level)


def ratio(
    numerator: ArrayLike,
    denominator: ArrayLike,
    design: Design,
    domain: ArrayLike | None = None,
    level: float = 0.95,
) -> Estimate:
    """Ratio of two weighted totals in a domain, with a t-interval.

    Raises
    ------
    ValueError
        If a value is missing inside the domain, the domain has no weight, or the denominator adds up to zero.
    """
    members = _weighty(design, domain)
    above, below = (_inside(column, members) for column in (numerator, denominator))
    whole = float(design.weight @ below)
    if whole == 0:
        raise ValueError("ratio: the denominator adds up to zero in this domain")
    value = float(design.weight @ above) / whole
    return _linear(design, value, design.weight * (above - value * below) / whole, members, level)


def total(values: ArrayLike, design: Design, domain: ArrayLike | None = None, level: float = 0.95) -> Estimate:
    """Weighted total in a domain, with a t-interval. Raises as `mean` does."""
    members = _weighty(design, domain)
    influence = design.weight * _inside(values, members)
    return _linear(design, float(influence.sum()), influence, members, level)


def proportion(
    event: ArrayLike,
    design: Design,
    domain: ArrayLike | None = None,
    method: str = "korn-graubard",
    level: float = 0.95,
) -> Estimate:
    """Weighted share of a domain that has the event.

    Parameters
    ----------
    event
        (people,) True or 1 for those who have it; may be missing outside the domain only.
    method
        The interval: `korn-graubard` (NCHS), `beta` (R's `svyciprop`, not capped) or `logit`.

    Raises
    ------
    ValueError
        For an unknown method, an event that is neither 0 nor 1, and as `mean` does.
    """
    if method not in INTERVALS:
        raise ValueError(f"proportion: the interval {method!r} is not known; choose {', '.join(INTERVALS)}")
    values = _inside(event, design.members(domain))
    if not np.isin(values, (0.0, 1.0)).all():
        raise ValueError("proportion: the event must be 0 or 1 (or a boolean) for everyone in the domain")
    share = mean(values, design, domain, level)
    low, high = INTERVALS[method](share.estimate, share.se, share.people, share.df, level)
    return Estimate(share.estimate, share.se, share.df, low, high, share.people)


def _weighty(design: Design, domain: ArrayLike | None) -> Marks:
    members = design.members(domain)
    if not design.weight[members].any():
        raise ValueError("domain: nobody in it has a weight above zero; widen the domain")
    return members


def _inside(values: ArrayLike, members: Marks) -> Numbers:
    """The values as numbers, zero outside the domain."""
    column = pd.Series(values)
    if len(column) != len(members):
        raise ValueError(f"values: {len(column)} for {len(members)} people; give one per person")
    numbers = np.where(members, column.to_numpy(dtype=float, na_value=np.nan), 0.0)
    missing = int((~np.isfinite(numbers)).sum())
    if missing:
        name = "values" if column.name is None else column.name
        raise ValueError(f"{name}: missing for {missing} people of the domain; leave them out of the domain")
    return numbers


def _linear(design: Design, value: float, influence: Numbers, members: Marks, level: float) -> Estimate:
    se = math.sqrt(design.covariance(influence, members)[0, 0])
    df = design.degrees_of_freedom_in(members)
    reach = t_quantile(df, level) * se
    people = int((members & (design.weight > 0)).sum())
    return Estimate(value, se, df, value - reach, value + reach, people)
