"""Means, shares, totals and ratios of domains, with their design-based standard errors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from backpain.design.domains import Domains, Estimate, groups_of, ratios, shares, totals
from backpain.design.people import column_of, numbers_of
from backpain.design.proportions import INTERVALS
from backpain.design.stages import Marks, Numbers
from backpain.design.variance import Sampling


def mean(values: ArrayLike, design: Sampling, domain: ArrayLike | None = None, level: float = 0.95) -> Estimate:
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
    return means(values, design, None, domain).of("everyone", level=level)


def means(values: ArrayLike, design: Sampling, by: ArrayLike | None, domain: ArrayLike | None = None) -> Domains:
    """Weighted mean in each group of a domain.

    Parameters
    ----------
    by
        (people,) the group of each; may be missing outside the domain only. None: everyone.

    Raises
    ------
    ValueError
        As `mean` does, and if a member of the domain has no group.
    """
    members = design.members(domain)
    return ratios(inside(values, members), None, groups_of(by, members), design, share=False)


def ratio(
    numerator: ArrayLike,
    denominator: ArrayLike,
    design: Sampling,
    domain: ArrayLike | None = None,
    level: float = 0.95,
) -> Estimate:
    """Ratio of two weighted totals in a domain, with a t-interval.

    Raises
    ------
    ValueError
        If a value is missing inside the domain, the domain has no weight, or the denominator adds up to zero.
    """
    members = design.members(domain)
    above, below = (inside(column, members) for column in (numerator, denominator))
    return ratios(above, below, groups_of(None, members), design, share=False).of("everyone", level=level)


def total(values: ArrayLike, design: Sampling, domain: ArrayLike | None = None, level: float = 0.95) -> Estimate:
    """Weighted total in a domain, with a t-interval. Raises as `mean` does."""
    members = design.members(domain)
    return totals(inside(values, members), groups_of(None, members), design).of("everyone", level=level)


def proportion(
    event: ArrayLike,
    design: Sampling,
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
        The interval: `korn-graubard` (NCHS), `korn-graubard-unadjusted` (without the ratio of t quantiles), `beta`
        (R's `svyciprop`, not capped) or `logit`.

    Raises
    ------
    ValueError
        For an unknown method, an event that is neither 0 nor 1, and as `mean` does.
    """
    if method not in INTERVALS:
        raise ValueError(f"proportion: the interval {method!r} is not known; choose {', '.join(INTERVALS)}")
    return proportions(event, design, None, domain).of("everyone", method, level)


def proportions(event: ArrayLike, design: Sampling, by: ArrayLike | None, domain: ArrayLike | None = None) -> Domains:
    """Weighted share with the event in each group of a domain, in one pass over the people.

    `.table()` gives the intervals and whether the NCHS standard lets each be shown. Arguments and errors as in
    `proportion` and `means`.
    """
    members = design.members(domain)
    values = inside(event, members)
    if not ((values == 0) | (values == 1)).all():
        raise ValueError("proportion: the event must be 0 or 1 (or a boolean) for everyone in the domain")
    return ratios(values, None, groups_of(by, members), design, share=True)


def distribution(category: ArrayLike, design: Sampling, domain: ArrayLike | None = None) -> Domains:
    """Share of each category in a domain; the shares add up to 1. Raises as `means` does."""
    members = design.members(domain)
    return shares(groups_of(category, members), design)


def standardised(
    values: ArrayLike,
    design: Sampling,
    strata: ArrayLike,
    standard: Mapping[Any, float],
    domain: ArrayLike | None = None,
    level: float = 0.95,
) -> Estimate:
    """Mean of a domain had it the standard population's ages: direct standardisation.

    Parameters
    ----------
    values
        (people,) numbers, or 0 and 1 for a share.
    strata
        (people,) what is standardised for, such as age groups.
    standard
        The standard population of each of them, in people or shares; scaled to add up to 1.

    Returns
    -------
    The estimate with a t-interval. The standard's shares are known numbers, so only the means in the strata vary
    (as SUDAAN and R's `svystandardize` take it; Klein and Schoenborn 2001, Healthy People Stat Notes 20).

    Raises
    ------
    ValueError
        If a stratum of the standard has nobody in the domain, or people stand in none of them; as `means` does.
    """
    found = means(values, design, strata, domain)
    for lacking, words in (
        ([name for name in standard if name not in found.names], "nobody of the domain"),
        ([name for name in found.names if name not in standard], "no share in the standard population"),
    ):
        if lacking:
            raise ValueError(f"standard: {', '.join(map(str, lacking))} has {words}; merge or leave out strata")
    shares = np.array(list(standard.values()), dtype=float)
    if not np.isfinite(shares).all() or (shares < 0).any() or not shares.sum() > 0:
        raise ValueError(
            "standard: shares of the standard population are finite, not negative, and not all of them zero"
        )
    whole = float(shares.sum())
    return found.combined({name: share / whole for name, share in standard.items()}, level)


def inside(values: ArrayLike, members: Marks) -> Numbers:
    """The values as numbers, zero outside the domain.

    Raises
    ------
    ValueError
        If a value is missing inside the domain.
    """
    column = column_of(values, len(members), "values")
    name = getattr(column, "name", None)
    numbers = numbers_of(column, "values" if name is None else str(name))
    if not members.all():
        numbers = np.where(members, numbers, 0.0)
    if not np.isfinite(numbers).all():
        missing = int((~np.isfinite(numbers)).sum())
        raise ValueError(
            f"{'values' if name is None else name}: missing for {missing} people of the domain; leave them out of "
            "the domain"
        )
    return numbers


__all__ = ["distribution", "inside", "mean", "means", "proportion", "proportions", "ratio", "standardised", "total"]
