"""Totals, means, ratios and shares of many domains at once, in one pass over the people."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from backpain.design.people import Column, column_of
from backpain.design.proportions import INTERVALS, effective_people, judged, korn_graubard, t_quantile
from backpain.design.replicates import Replicated
from backpain.design.stages import Codes, Marks, Numbers
from backpain.design.variance import Sampling

# Groups of the people: each one's position, or -1 for those in none; and the names.
Groups = tuple[Codes, list[Any]]
# Groups that are whole numbers in a range of so many are counted, not looked up.
MOST_NUMBERS = 10_000


@dataclass(frozen=True)
class Estimate:
    """A number with its standard error, degrees of freedom, interval, and the people behind it.

    `design_effect` is its variance over that of a simple random sample of as many people, with replacement
    (R's `deff = "replace"`); missing where it has no meaning.
    """

    estimate: float
    se: float
    df: int
    low: float
    high: float
    people: int
    design_effect: float = math.nan


@dataclass(frozen=True)
class Domains:
    """One estimate for each of k domains of a survey, which may depend on one another.

    Attributes
    ----------
    names
        The domains.
    estimate, people, df
        (k,) each; people have a weight above zero.
    spread
        (k,) mean squared distance from the estimate, of a mean or share; missing for totals and ratios.
    covariance
        (k, k); domains share PSUs, so its off-diagonal is not zero.
    design
        The sample, for whatever is made from several domains.
    held
        (units, k) which units hold members of each domain.
    share
        Whether the estimates are proportions.
    parts
        (units, k) what each unit adds to each estimate, where the variance of several domains together needs it: lonely
        strata count otherwise in all of them than in each.
    """

    names: list[Any]
    estimate: Numbers
    covariance: Numbers
    df: Codes
    people: Codes
    spread: Numbers
    design: Sampling
    held: Marks
    share: bool
    parts: Numbers | None = None

    @cached_property
    def se(self) -> Numbers:
        """(k,) standard errors."""
        return np.sqrt(self.covariance.diagonal())

    @property
    def design_effect(self) -> Numbers:
        """(k,) variances over those of simple random samples with replacement; missing where nobody differs."""
        known = (self.spread > 1e-28 * self.estimate**2) & (self.people > 1)
        return np.where(known, self.se**2 * (self.people - 1) / np.where(known, self.spread, 1.0), math.nan)

    def table(self, method: str = "korn-graubard", level: float = 0.95, adjust: bool = True) -> pd.DataFrame:
        """A row for each domain: domain, estimate, se, df, low, high, people, design_effect, rule, reason.

        Shares have the interval named and the verdict of the NCHS standard (see `presentation`, also for
        `adjust`); others a t-interval, and an empty rule.
        """
        columns: dict[str, Any] = {"domain": self.names, "estimate": self.estimate, "se": self.se, "df": self.df}
        columns["low"], columns["high"] = self.interval(method, level)
        columns |= {"people": self.people, "design_effect": self.design_effect, "rule": "", "reason": ""}
        if self.share:
            low, high = korn_graubard(self.estimate, self.se, self.people, self.df, adjust=adjust)
            size = effective_people(self.estimate, self.se, self.people)
            told = [judged(*row) for row in zip(self.estimate, size, high - low, self.df, strict=True)]
            columns |= {"rule": [rule for rule, _ in told], "reason": [reason for _, reason in told]}
        return pd.DataFrame(columns)

    def interval(self, method: str = "korn-graubard", level: float = 0.95) -> tuple[Numbers, Numbers]:
        """(k,) lower and upper ends: for shares by the method named, for others by t."""
        if not self.share:
            reach = t_quantile(self.df, level) * self.se
            return self.estimate - reach, self.estimate + reach
        if method not in INTERVALS:
            raise ValueError(f"proportion: the interval {method!r} is not known; choose {', '.join(INTERVALS)}")
        return INTERVALS[method](self.estimate, self.se, self.people, self.df, level)

    def of(self, name: Any, method: str = "korn-graubard", level: float = 0.95) -> Estimate:
        """One domain's estimate."""
        place = self._place(name)
        low, high = self.interval(method, level)
        return Estimate(
            float(self.estimate[place]),
            float(self.se[place]),
            int(self.df[place]),
            float(low[place]),
            float(high[place]),
            int(self.people[place]),
            float(self.design_effect[place]),
        )

    def difference(self, first: Any, second: Any, level: float = 0.95) -> Estimate:
        """The first domain's estimate less the second's, with the covariance of the two."""
        if first == second:
            raise ValueError(f"domains: {first!r} less itself is nothing; name two domains")
        return self.combined({first: 1.0, second: -1.0}, level)

    def combined(self, weights: Mapping[Any, float], level: float = 0.95) -> Estimate:
        """A weighted sum of the domains' estimates, with a t-interval on the df of all of them together.

        R's `svycontrast` of `svyby(covmat = TRUE)`. With weights that are a standard population's shares of the
        ages it is direct standardisation.
        """
        factor = np.zeros(len(self.names))
        for name, weight in weights.items():
            factor[self._place(name)] = weight
        if not np.isfinite(factor).all() or not factor.any():
            raise ValueError("domains: weights of domains are finite numbers, and not all of them zero")
        used = factor != 0
        held = np.asarray(self.held[:, used].any(axis=1))[:, None]
        if self.parts is None or isinstance(self.design, Replicated):
            matrix = self.covariance[np.ix_(used, used)]
        else:
            matrix = np.asarray(self.design.covariance_of_totals(self.parts[:, used], held[:, 0]))
        # Shares of one another may add up to nothing that varies, but for rounding.
        se = math.sqrt(max(float(factor[used] @ matrix @ factor[used]), 0.0))
        value, df = float(factor @ self.estimate), int(self.design.freedom_of(held)[0])
        reach = float(t_quantile(df, level)) * se
        return Estimate(value, se, df, value - reach, value + reach, int(self.people[used].sum()))

    def _place(self, name: Any) -> int:
        if name not in self.names:
            raise ValueError(f"domains: there is no {name!r}; choose from {', '.join(map(str, self.names))}")
        return self.names.index(name)


def groups_of(by: ArrayLike | None, members: Marks) -> Groups:
    """The people's groups inside the domain, in the order of the categories or sorted; None is one group.

    Raises
    ------
    ValueError
        If the column has another length, or a member of the domain has no group.
    """
    if by is None:
        return np.where(members, 0, -1), ["everyone"]
    column = column_of(by, len(members), "by")
    if (numbered := _whole_numbers(column, members)) is not None:
        return numbered
    column = pd.Series(column)
    if isinstance(column.dtype, pd.CategoricalDtype):
        code, names = column.cat.codes.to_numpy().astype(np.intp), list(column.cat.categories)
    else:
        code, found = pd.factorize(column, sort=True)
        names = list(found)
    if (lost := int(((code < 0) & members).sum())) > 0:
        raise ValueError(f"{column.name or 'by'}: missing for {lost} people of the domain; leave them out of it")
    code = code if members.all() else np.where(members, code, -1)
    used = np.bincount(code + 1, minlength=len(names) + 1)[1:] > 0
    if not used.all():
        renumbered = np.append(np.cumsum(used) - 1, -1)
        code, names = renumbered[code], [name for name, kept in zip(names, used, strict=True) if kept]
    return code, names


def _whole_numbers(column: Column, members: Marks) -> Groups | None:
    """The groups of a column of whole numbers that lie close together, which need no table of what was seen."""
    values = column if isinstance(column, np.ndarray) else column.to_numpy()
    if values.dtype.kind not in "iu" or not len(values):
        return None
    least = int(values.min())
    width = int(values.max()) - least + 1
    if width > MOST_NUMBERS:
        return None
    # Subtracted where it cannot wrap: narrow signed numbers are widened before, unsigned ones after.
    code = (values - values.min()).astype(np.intp) if values.dtype.kind == "u" else values.astype(np.intp) - least
    if members.all():
        used = np.bincount(code, minlength=width).nonzero()[0]
    else:
        code = np.where(members, code, -1)
        used = np.bincount(code + 1, minlength=width + 1)[1:].nonzero()[0]
    if len(used) < width:
        numbers = np.full(width + 1, -1)
        numbers[used] = np.arange(len(used))
        code = numbers[code]
    return code, (used + least).tolist()


def ratios(numerator: Numbers, denominator: Numbers | None, groups: Groups, design: Sampling, share: bool) -> Domains:
    """Ratio of weighted totals in each group; without a denominator the mean.

    Parameters
    ----------
    numerator, denominator
        (people,) zero where the group is -1.

    Raises
    ------
    ValueError
        If a group has no weight, or its denominator adds up to zero.
    """
    sums = _Sums(design, groups)
    above, people = sums.of(numerator), sums.people
    below = sums.of(None) if denominator is None else sums.of(denominator)
    _refuse_weightless(groups[1], people)
    whole = sums.full @ below
    if (whole == 0).any():
        raise ValueError("ratio: the denominator adds up to zero in this domain")
    value = sums.full @ above / whole
    parts = None
    if isinstance(design, Replicated):
        matrix = design.spread(design.factor.T @ above / (design.factor.T @ below), value)
    else:
        influence = (above - value * below) / whole
        matrix, parts = _covariance(design, influence, sums.held)
    if denominator is not None:
        spread = np.full(len(value), math.nan)
    elif share:
        spread = value * (1 - value)
    else:
        # From the estimate, not from zero: squares of large numbers that differ little would cancel.
        spread = sums.full @ sums.of((numerator - np.append(value, 0.0)[groups[0]]) ** 2) / whole
    df = design.freedom_of(sums.held)
    return Domains(groups[1], value, matrix, df, people, spread, design, sums.held, share, parts)


def totals(values: Numbers, groups: Groups, design: Sampling) -> Domains:
    """Weighted total of (people,) values, zero where the group is -1, in each group."""
    sums = _Sums(design, groups)
    above = sums.of(values)
    _refuse_weightless(groups[1], sums.people)
    value = sums.full @ above
    parts = None
    if isinstance(design, Replicated):
        matrix = design.spread(design.factor.T @ above, value)
    else:
        matrix, parts = _covariance(design, above, sums.held)
    spread, df = np.full(len(value), math.nan), design.freedom_of(sums.held)
    return Domains(groups[1], value, matrix, df, sums.people, spread, design, sums.held, False, parts)


def shares(groups: Groups, design: Sampling) -> Domains:
    """Each group's share of all who are in one: the distribution of a category, whose estimates add up to 1.

    People and degrees of freedom are those of all groups together, which each share is out of.
    """
    sums = _Sums(design, groups)
    people = sums.people.sum()
    if not people:
        raise ValueError("domain: nobody in it has a weight above zero; widen the domain")
    above = sums.of(None)
    below = above.sum(axis=1, keepdims=True)
    value = sums.full @ above / (sums.full @ below)
    held = np.asarray(sums.held.any(axis=1))[:, None]
    if isinstance(design, Replicated):
        matrix = design.spread(design.factor.T @ above / (design.factor.T @ below), value)
    else:
        matrix = np.asarray(design.covariance_of_totals((above - value * below) / above.sum(), held[:, 0]))
    every = np.full(len(value), people)
    df = np.repeat(design.freedom_of(held), len(value))
    spread = value * (1 - value)
    return Domains(groups[1], value, matrix, df, every, spread, design, np.tile(held, len(value)), True)


class _Sums:
    """Weighted sums of columns by unit and group."""

    def __init__(self, design: Sampling, groups: Groups) -> None:
        code, names = groups
        self.weight = design.base if isinstance(design, Replicated) else design.weight
        self.full = design.full if isinstance(design, Replicated) else np.ones(design.units)
        self.shape = (len(self.full), len(names))
        self.inside = slice(None) if code.size == 0 or code.min() >= 0 else code >= 0
        self.weight = self.weight[self.inside]
        place = design.unit[self.inside]
        self.place = place if len(names) == 1 else place * len(names) + code[self.inside]
        # Counting needs no weights, where everybody has one.
        seen = self.place if design.weighing is None else self.place[design.weighing[self.inside]]
        people = np.bincount(seen, minlength=self.shape[0] * self.shape[1]).reshape(self.shape)
        self.held, self.people = people > 0, people.sum(0)

    def of(self, column: Numbers | None) -> Numbers:
        """(units, groups) weighted sums of a (people,) column; None is a column of ones."""
        return self._table(self.weight if column is None else self.weight * column[self.inside])

    def _table(self, values: Any) -> Numbers:
        flat = np.bincount(self.place, values, minlength=self.shape[0] * self.shape[1])
        return np.asarray(flat.reshape(self.shape), dtype=float)


def _refuse_weightless(names: list[Any], people: Codes) -> None:
    empty = people == 0
    if not len(names) or empty.any():
        which = ", ".join(str(name) for name, none in zip(names, empty, strict=True) if none)
        told = f" ({which})" if len(names) > 1 else ""
        raise ValueError(f"domain: nobody in it has a weight above zero{told}; widen the domain")


def _covariance(design: Any, totals: Numbers, held: Marks) -> tuple[Numbers, Numbers | None]:
    """Covariance of the groups' estimates, each variance by the lonely strata of its own group; and what combines them."""
    if design.lonely not in ("fail", "average"):
        return np.asarray(design.covariance_of_totals(totals)), None
    if totals.shape[1] == 1 or not design.stages[0].lonely.any():
        return np.asarray(design.covariance_of_totals(totals, held.any(axis=1))), None
    own = np.array([design.covariance_of_totals(totals[:, [k]], held[:, k])[0, 0] for k in range(totals.shape[1])])
    joint = np.array(design.covariance_of_totals(totals, held.any(axis=1)))
    np.fill_diagonal(joint, own)
    return joint, totals


__all__ = ["Domains", "Estimate", "Groups", "groups_of", "ratios", "shares", "totals"]
