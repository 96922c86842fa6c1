"""The sampling design: strata, PSUs, weights and domains, and the variance of whatever is a sum over people.

Variances are Taylor-linearised and treat PSUs as drawn with replacement within strata (Binder 1983, Int Stat Rev
51:279). A domain is never cut out of its survey: PSUs without a member count, with a total of zero.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.stats import beta, t

Numbers = NDArray[np.float64]
Codes = NDArray[np.intp]
Marks = NDArray[np.bool_]

LONELY = ("fail", "remove", "adjust", "average")
NOWHERE = (math.nan, math.nan)

# Data presentation standards for proportions (NCHS 2017, Vital Health Stat 2(175)).
LEAST_PEOPLE, LEAST_DF = 30, 8
NARROW, WIDE, WIDEST_RELATIVE = 0.05, 0.30, 1.30


@dataclass(frozen=True)
class Design:
    """Where each person stands in the sample, and every PSU the survey drew.

    Attributes
    ----------
    stratum, psu
        (people,) positions in `strata` and among the PSUs of the whole survey.
    weight
        (people,) survey weights, in people represented.
    psu_stratum
        (PSUs,) the stratum of each PSU of the survey, also of those that hold none of these people.
    strata
        (strata,) the strata's own names.
    lonely
        What a stratum of a single PSU adds to a variance, as in R's `options(survey.lonely.psu)`: `fail` refuses;
        `remove` adds nothing; `adjust` takes the PSU's total about zero, which is the grand mean for means, ratios and
        regressions; `average` adds what the other strata that hold the domain add on average.
    """

    stratum: Codes
    psu: Codes
    weight: Numbers
    psu_stratum: Codes
    strata: NDArray[Any]
    lonely: str = "adjust"

    @classmethod
    def of(
        cls,
        frame: pd.DataFrame,
        skeleton: pd.DataFrame | None = None,
        stratum: str | None = "stratum",
        cluster: str | None = "psu",
        weight: str = "weight",
        lonely: str = "adjust",
    ) -> Design:
        """Read the design from the people at hand.

        Parameters
        ----------
        frame
            One row per person with the three columns named.
        skeleton
            Every stratum and PSU of the survey (repeats are allowed), so that a frame of some of its people loses
            none. None takes the PSUs of the frame. PSUs are nested: the same number in two strata is two PSUs.
        stratum, cluster
            Columns; None for stratum is one stratum; None for cluster lets each row (by its index label) be drawn by
            itself. Both None is a simple random sample with replacement.
        lonely
            The policy for strata of one PSU.

        Raises
        ------
        ValueError
            If a column is absent, a stratum or PSU is missing, a weight is missing, infinite or negative, or somebody
            stands in a PSU that the skeleton does not list.
        """
        if lonely not in LONELY:
            raise ValueError(f"design: lonely {lonely!r} is not known; declare one of {', '.join(LONELY)}")
        pairs = _pairs(frame, stratum, cluster, "people")
        listed = pairs if skeleton is None else _pairs(skeleton, stratum, cluster, "skeleton")
        stratum_code, strata = pd.factorize(listed["stratum"], sort=True)
        psu_code, psus = pd.factorize(pd.MultiIndex.from_arrays([stratum_code, listed["psu"]]), sort=False)
        psu_stratum = np.asarray(psus.get_level_values(0), dtype=np.intp)
        psu = psu_code
        if skeleton is not None:
            position = pd.Index(strata).get_indexer(pd.Index(pairs["stratum"]))
            psu = psus.get_indexer(pd.MultiIndex.from_arrays([position, pairs["psu"]]))
        if (psu < 0).any():
            strays = pairs[psu < 0].drop_duplicates().head(3).to_numpy().tolist()
            raise ValueError(
                f"design: {int((psu < 0).sum())} people stand in a (stratum, PSU) the skeleton does not list, such as "
                f"{strays}; take the skeleton from the whole survey"
            )
        psu = np.asarray(psu, dtype=np.intp)
        return cls(
            psu_stratum[psu],
            psu,
            _weights(frame, weight),
            psu_stratum,
            np.asarray(strata, dtype=object),
            lonely,
        )

    @property
    def psus_in_stratum(self) -> Codes:
        """(strata,) how many PSUs the survey drew in each stratum."""
        return np.bincount(self.psu_stratum, minlength=len(self.strata))

    @property
    def degrees_of_freedom(self) -> int:
        """PSUs less strata of the whole survey."""
        return len(self.psu_stratum) - len(self.strata)

    def degrees_of_freedom_in(self, domain: ArrayLike | None = None) -> int:
        """PSUs less strata that hold a domain member of positive weight (NCHS; R's `degf` of a subset)."""
        members = self.members(domain) & (self.weight > 0)
        return len(np.unique(self.psu[members])) - len(np.unique(self.stratum[members]))

    def members(self, domain: ArrayLike | pd.Series | None = None) -> Marks:
        """(people,) who is in the domain; None is everyone. A mask of the wrong length or with gaps is refused."""
        if domain is None:
            return np.ones(len(self.weight), dtype=bool)
        mask = pd.Series(domain)
        if len(mask) != len(self.weight):
            raise ValueError(f"domain: {len(mask)} marks for {len(self.weight)} people; give one per person")
        if not pd.api.types.is_bool_dtype(mask.dtype) or mask.isna().any():
            raise ValueError("domain: give a boolean mask without missing values")
        return mask.to_numpy(dtype=bool)

    def covariance(self, influence: ArrayLike, domain: ArrayLike | None = None) -> Numbers:
        """Variance matrix of the column totals of an influence function.

        Parameters
        ----------
        influence
            (people, k) or (people,): what each person adds to each estimate, the weight already multiplied in, and zero
            outside the domain.
        domain
            (people,) mask; it decides only which lonely strata matter (`fail`, `average`).

        Returns
        -------
        (k, k) matrix.

        Raises
        ------
        ValueError
            If the shape is wrong, a value is not finite, or the policy refuses a lonely stratum.
        """
        values = self._checked(influence)
        totals = np.empty((len(self.psu_stratum), values.shape[1]))
        centres = np.empty((len(self.strata), values.shape[1]))
        for column in range(values.shape[1]):
            totals[:, column] = np.bincount(self.psu, values[:, column], minlength=len(totals))
            centres[:, column] = np.bincount(self.psu_stratum, totals[:, column], minlength=len(centres))
        drawn = self.psus_in_stratum
        centres /= drawn[:, None]
        alone = drawn == 1
        if self.lonely == "adjust":
            centres[alone] = 0.0
        scale = drawn / np.where(alone, 1, drawn - 1)
        deviation = totals - centres[self.psu_stratum]
        matrix = (deviation * scale[self.psu_stratum, None]).T @ deviation
        return np.asarray(matrix * self._average_over_strata(alone, domain))

    def _checked(self, influence: ArrayLike) -> Numbers:
        values = np.asarray(influence, dtype=float)
        values = values[:, None] if values.ndim == 1 else values
        if values.ndim != 2 or len(values) != len(self.weight):
            raise ValueError(
                f"influence: shape {values.shape} for {len(self.weight)} people; give a row per person"
            )
        if not np.isfinite(values).all():
            raise ValueError(
                "influence: some values are missing or infinite; give 0 to people outside the domain"
            )
        return values

    def _average_over_strata(self, alone: Marks, domain: ArrayLike | None) -> float:
        """By how much `average` scales the other strata up; `fail` stops here."""
        if self.lonely not in ("fail", "average") or not alone.any():
            return 1.0
        held = np.zeros(len(alone), dtype=bool)
        held[self.stratum[self.members(domain)]] = True
        if self.lonely == "fail" and (held & alone).any():
            named = ", ".join(str(name) for name in self.strata[held & alone][:10])
            raise ValueError(
                f"design: {int((held & alone).sum())} strata have a single PSU ({named}); declare `lonely: adjust`, "
                "`average` or `remove`, or merge the strata"
            )
        several = int((held & ~alone).sum())
        if self.lonely == "average" and several == 0:
            raise ValueError(
                "design: every stratum has a single PSU, so `lonely: average` has nothing to average"
            )
        return int(held.sum()) / several if self.lonely == "average" else 1.0


def _pairs(frame: pd.DataFrame, stratum: str | None, cluster: str | None, what: str) -> pd.DataFrame:
    """The stratum and PSU of each row; without a cluster the row itself is the PSU."""
    for column in (stratum, cluster):
        if column is not None and column not in frame:
            raise ValueError(
                f"{what}: there is no column {column!r}; name the design's columns, or None for none"
            )
        if column is not None and frame[column].isna().any():
            raise ValueError(
                f"{what}: {column} is missing for {int(frame[column].isna().sum())} rows; everyone sampled has one"
            )
    return pd.DataFrame(
        {
            "stratum": np.zeros(len(frame), dtype=int) if stratum is None else frame[stratum].to_numpy(),
            "psu": frame.index.to_numpy() if cluster is None else frame[cluster].to_numpy(),
        }
    )


def _weights(frame: pd.DataFrame, column: str) -> Numbers:
    if column not in frame:
        raise ValueError(f"people: there is no weight column {column!r}; name the survey's weight")
    weight = frame[column].to_numpy(dtype=float, na_value=np.nan)
    stray = ~np.isfinite(weight) | (weight < 0)
    if stray.any():
        raise ValueError(
            f"people: {column} is missing, infinite or negative for {int(stray.sum())} people; leave them out (the "
            "skeleton keeps their PSUs)"
        )
    return weight


@dataclass(frozen=True)
class Estimate:
    """A number with its design-based standard error, degrees of freedom, interval, and the people behind it."""

    estimate: float
    se: float
    df: int
    low: float
    high: float
    people: int


def mean(design: Design, values: ArrayLike, domain: ArrayLike | None = None, level: float = 0.95) -> Estimate:
    """Weighted mean in a domain, with a t-interval on the domain's degrees of freedom. Raises as `ratio` does."""
    return ratio(design, values, np.ones(len(design.weight)), domain, level)


def ratio(
    design: Design,
    numerator: ArrayLike,
    denominator: ArrayLike,
    domain: ArrayLike | None = None,
    level: float = 0.95,
) -> Estimate:
    """Ratio of two weighted totals in a domain, with a t-interval.

    Raises
    ------
    ValueError
        If a value is missing inside the domain, the domain has no weight, or the denominator's total is zero.
    """
    members = _weighty(design, domain)
    above, below = (_inside(column, members) for column in (numerator, denominator))
    whole = float(design.weight @ below)
    if whole == 0:
        raise ValueError("ratio: the denominator's total is zero in this domain")
    value = float(design.weight @ above) / whole
    return _linear(design, value, design.weight * (above - value * below) / whole, members, level)


def total(
    design: Design, values: ArrayLike, domain: ArrayLike | None = None, level: float = 0.95
) -> Estimate:
    """Weighted total in a domain, with a t-interval. Raises as `ratio` does."""
    members = _weighty(design, domain)
    influence = design.weight * _inside(values, members)
    return _linear(design, float(influence.sum()), influence, members, level)


def proportion(
    design: Design,
    event: ArrayLike,
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
        For an unknown method, an event that is not 0 or 1, and as `ratio` does.
    """
    if method not in INTERVALS:
        raise ValueError(f"proportion: the interval {method!r} is not known; choose {', '.join(INTERVALS)}")
    values = _inside(event, design.members(domain))
    if not np.isin(values, (0.0, 1.0)).all():
        raise ValueError("proportion: the event must be 0 or 1 (or a boolean) for everyone in the domain")
    share = mean(design, values, domain, level)
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
    if not np.isfinite(numbers).all():
        raise ValueError(
            f"{column.name or 'values'}: missing for {int((~np.isfinite(numbers)).sum())} people of the domain; leave "
            "them out of the domain"
        )
    return numbers


def _linear(design: Design, value: float, influence: Numbers, members: Marks, level: float) -> Estimate:
    se = math.sqrt(design.covariance(influence, members)[0, 0])
    df = design.degrees_of_freedom_in(members)
    people = int((members & (design.weight > 0)).sum())
    reach = t_quantile(df, level) * se
    return Estimate(value, se, df, value - reach, value + reach, people)


def t_quantile(df: float, level: float = 0.95) -> float:
    """The two-sided t quantile; missing without a degree of freedom, so that no interval is made up."""
    return float(t.ppf((1 + level) / 2, df)) if df > 0 else math.nan


def effective_people(p: float, se: float, n: int) -> float:
    """How many people of a simple random sample the proportion is worth, at most n (NCHS); n where p is 0 or 1."""
    return min(float(n), p * (1 - p) / se**2) if 0 < p < 1 and se > 0 else float(n)


def korn_graubard(
    p: float, se: float, n: int, df: float, level: float = 0.95, adjust: bool = True
) -> tuple[float, float]:
    """Clopper-Pearson interval on the effective sample size as NCHS defines it (2017 standard).

    Parameters
    ----------
    p, se
        The proportion, 0 to 1, and its design-based standard error.
    n, df
        People and degrees of freedom in the domain.
    adjust
        Whether the effective size is scaled by the squared ratio of t quantiles (NHANES) or not (NHIS). Either way it
        is at most n (Korn and Graubard 1998, Surv Methodol 24:193).

    Returns
    -------
    Both ends, missing without a degree of freedom.
    """
    size = p * (1 - p) / se**2 if 0 < p < 1 and se > 0 else float(n)
    return _clopper_pearson(p, min(float(n), size * _shrink(n, df, level) if adjust else size), level)


def beta_interval(p: float, se: float, n: int, df: float, level: float = 0.95) -> tuple[float, float]:
    """The interval of R's `svyciprop(method = "beta")`: as Korn and Graubard, but the size may exceed n."""
    if se == 0:
        return NOWHERE
    return _clopper_pearson(p, p * (1 - p) / se**2 * _shrink(n, df, level), level)


def logit_interval(p: float, se: float, n: int, df: float, level: float = 0.95) -> tuple[float, float]:
    """t-interval on the log-odds, turned back into shares; missing where p is 0 or 1."""
    if not 0 < p < 1:
        return NOWHERE
    centre, reach = math.log(p / (1 - p)), t_quantile(df, level) * se / (p * (1 - p))
    return 1 / (1 + math.exp(reach - centre)), 1 / (1 + math.exp(-centre - reach))


INTERVALS: dict[str, Callable[[float, float, int, float, float], tuple[float, float]]] = {
    "korn-graubard": korn_graubard,
    "beta": beta_interval,
    "logit": logit_interval,
}


def _shrink(n: int, df: float, level: float) -> float:
    return (t_quantile(n - 1, level) / t_quantile(df, level)) ** 2


def _clopper_pearson(p: float, size: float, level: float) -> tuple[float, float]:
    if not size > 0:
        return NOWHERE
    tail, events = (1 - level) / 2, p * size
    low = float(beta.ppf(tail, events, size - events + 1)) if p > 0 else 0.0
    high = float(beta.ppf(1 - tail, events + 1, size - events)) if p < 1 else 1.0
    return low, high


class Presentation(NamedTuple):
    """What the NCHS standard says of a proportion: `show`, `review` or `suppress`, and why."""

    rule: str
    reason: str


def presentation(p: float, se: float, n: int, df: float, adjust: bool = True) -> Presentation:
    """Whether a proportion may be shown by the NCHS data presentation standard of 2017.

    Suppressed when fewer than 30 people or effective people stand behind it, or the Korn-Graubard interval is 30 points
    wide or more, or wider than 5 points and than 130 % of the proportion. To be reviewed by a statistician when p is 0
    or 1 or there are fewer than 8 degrees of freedom. Arguments as in `korn_graubard`.
    """
    low, high = korn_graubard(p, se, n, df, adjust=adjust)
    width = high - low
    size = effective_people(p, se, n)
    if not math.isfinite(width):
        return Presentation("suppress", "no degrees of freedom, so no interval")
    if size < LEAST_PEOPLE:
        return Presentation("suppress", f"{size:.0f} effective people, fewer than {LEAST_PEOPLE}")
    if width >= WIDE:
        return Presentation(
            "suppress", f"the interval is {100 * width:.0f} points wide, {100 * WIDE:.0f} or more"
        )
    if width > NARROW and width > WIDEST_RELATIVE * p:
        return Presentation(
            "suppress", f"the interval is wider than {100 * WIDEST_RELATIVE:.0f} % of the proportion"
        )
    if p in (0.0, 1.0):
        return Presentation("review", "nobody or everybody has the event")
    if df < LEAST_DF:
        return Presentation("review", f"{df:.0f} degrees of freedom, fewer than {LEAST_DF}")
    return Presentation("show", "")
