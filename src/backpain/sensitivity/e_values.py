"""E-values: how strongly an unmeasured confounder would have to be tied to treatment and event to explain an estimate.

VanderWeele and Ding 2017, Ann Intern Med 167:268. The E-value is the least risk ratio that the confounder must have
with the treatment and with the event, both, to move the estimate to the value said to be true.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.optimize import brentq

from backpain.design import t_quantile

# ASSUME: an event is common from 15 % of the reference arm on, as VanderWeele and Ding 2017 advise.
COMMON = 0.15
E_VALUES = ["ratio", "ratio_bound", "e_value", "e_value_bound", "approximation"]
CONTRAST_SCALES = ("risk-difference", "risk-ratio", "odds-ratio", "hazard-ratio")


@dataclass(frozen=True)
class EValue:
    """The E-values of an estimate and of its interval.

    Attributes
    ----------
    ratio, ratio_bound
        The (approximate) risk ratio a confounder has to explain: of the estimate, and of the end of the interval
        nearer the true value; 1 where the interval holds it. For differences the bias factor.
    estimate, bound
        Their E-values, at least 1. Missing for a bound that was not given.
    approximation
        How the ratio was got from the scale of the estimate; empty for risk ratios.
    """

    ratio: float
    ratio_bound: float
    estimate: float
    bound: float
    approximation: str = ""


@dataclass(frozen=True)
class TwoRisks:
    """The risks in the two arms, with what the E-value of their difference needs.

    Attributes
    ----------
    treated, untreated
        Risks, above 0 and below 1.
    share_treated
        The share of people who are treated.
    covariance
        ((treated, treated-untreated), (treated-untreated, untreated)) of the two risks.
    share_error
        Standard error of the share treated.
    df
        Degrees of freedom of the interval; infinite: normal.
    """

    treated: float
    untreated: float
    share_treated: float
    covariance: tuple[tuple[float, float], tuple[float, float]]
    share_error: float = 0.0
    df: float = math.inf

    def __post_init__(self) -> None:
        for name in ("treated", "untreated", "share_treated"):
            if not 0 < getattr(self, name) < 1:
                raise ValueError(f"risks: {name} is {getattr(self, name)}; it must lie above 0 and below 1")
        matrix = np.asarray(self.covariance, dtype=float)
        if matrix.shape != (2, 2) or not np.isfinite(matrix).all() or not np.isclose(matrix[0, 1], matrix[1, 0]):
            raise ValueError("risks: the covariance must be two by two, finite and symmetric")
        if (np.diag(matrix) < 0).any() or matrix[0, 1] ** 2 > matrix[0, 0] * matrix[1, 1] * (1 + 1e-9):
            raise ValueError(
                "risks: the covariance is of no two numbers (a variance below 0, or a correlation above 1)"
            )
        if not (math.isfinite(self.share_error) and self.share_error >= 0):
            raise ValueError(f"risks: share_error is {self.share_error}; it must be 0 or more")
        if not self.df > 0:
            raise ValueError(f"risks: {self.df} degrees of freedom; there must be more than 0")

    def turned(self) -> TwoRisks:
        """The arms with each other's labels."""
        (one, both), (_, other) = self.covariance
        turned = ((other, both), (both, one))
        return TwoRisks(self.untreated, self.treated, 1 - self.share_treated, turned, self.share_error, self.df)


def e_value(ratio: float) -> float:
    """The E-value of a risk ratio, RR + sqrt(RR (RR - 1)) with a ratio below 1 turned over.

    Raises
    ------
    ValueError
        If the ratio is not above 0 and finite.
    """
    _positive("ratio", ratio)
    above = max(ratio, 1 / ratio)
    return above + math.sqrt(above * (above - 1))


def of_risk_ratio(estimate: float, low: float | None = None, high: float | None = None, true: float = 1.0) -> EValue:
    """E-values of a risk ratio; `true` is the ratio to which the confounder must move it.

    Raises
    ------
    ValueError
        For a ratio of 0 or less, and for an interval that does not hold its estimate.
    """
    return _of_ratio(estimate, low, high, true, float, "")


def of_odds_ratio(
    estimate: float, low: float | None = None, high: float | None = None, true: float = 1.0, *, common: bool
) -> EValue:
    """E-values of an odds ratio: of a rare event as a risk ratio, of a common one by its square root.

    VanderWeele 2017, Biometrics 73:1355, for the square root. `true` is an odds ratio as well. Raises as
    `of_risk_ratio`.
    """
    said = "square root of the odds ratio" if common else "odds ratio of a rare event as risk ratio"
    return _of_ratio(estimate, low, high, true, math.sqrt if common else float, said)


def of_hazard_ratio(
    estimate: float, low: float | None = None, high: float | None = None, true: float = 1.0, *, common: bool
) -> EValue:
    """E-values of a hazard ratio: of a rare event as a risk ratio, of a common one by VanderWeele's approximation.

    (1 - 0.5^sqrt(HR)) / (1 - 0.5^sqrt(1 / HR)), VanderWeele and Ding 2017, table 2. `true` is a hazard ratio as well.
    Raises as `of_risk_ratio`.
    """
    said = "(1 - 0.5^sqrt(HR)) / (1 - 0.5^sqrt(1/HR))" if common else "hazard ratio of a rare event as risk ratio"
    return _of_ratio(estimate, low, high, true, _risk_ratio_of_hazards if common else float, said)


def of_standardised_difference(
    estimate: float, low: float | None = None, high: float | None = None, true: float = 0.0
) -> EValue:
    """E-values of a standardised mean difference d, whose risk ratio is about exp(0.91 d).

    Chinn 2000, Stat Med 19:3127, with the square root of the odds ratio; an interval's ends are taken as VanderWeele
    and Ding 2017 do, exp(0.91 d +- 1.78 se), where 1.96 se is the distance of the nearer end from d.
    """
    for name, value in (("estimate", estimate), ("low", low), ("high", high), ("true", true)):
        if value is not None and not math.isfinite(value):
            raise ValueError(f"standardised difference: {name} is {value}; give a finite number")
    ends = [None if end is None else math.exp(0.91 * estimate + 1.78 / 1.96 * (end - estimate)) for end in (low, high)]
    told = _of_ratio(math.exp(0.91 * estimate), ends[0], ends[1], math.exp(0.91 * true), float, "exp(0.91 d)")
    return told


def of_risk_difference(risks: TwoRisks, true: float = 0.0, level: float = 0.95) -> EValue:
    """E-values of a difference of risks, through the bias factor that moves it, or its interval, to the true value.

    Ding and VanderWeele 2016, Epidemiology 27:368: with a bias factor B the difference is at least
    (p1 - p0 B)(f + (1 - f) / B), f the share treated. The bound's B is the least whose interval reaches the true
    value, found by root finding. Arms are turned where the difference lies below the true value.

    Parameters
    ----------
    risks
        The two risks with their design's covariance.
    true
        The difference (treated less untreated) to which the confounder must move it.

    Raises
    ------
    ValueError
        If `true` is not between -1 and 1.
    """
    if not -1 < true < 1:
        raise ValueError(f"risk difference: the true value is {true}; it must lie between -1 and 1")
    if risks.treated - risks.untreated < true:
        return of_risk_difference(risks.turned(), -true, level)
    # ASSUME: a standardised or weighted risk stands for the risk in its arm, as if confounders were balanced.
    p1, p0, f = risks.treated, risks.untreated, risks.share_treated
    middle = true + p0 * (1 - f) - p1 * f
    factor = (math.sqrt(middle**2 + 4 * p1 * p0 * f * (1 - f)) - middle) / (2 * p0 * f)
    said = "bias factor of a risk difference"
    reach = float(t_quantile(risks.df, level))
    start = _lower_end(1.0, risks, reach) - true
    if start <= 0:
        return EValue(factor, 1.0, e_value(factor), 1.0, said)
    if _lower_end(factor, risks, reach) >= true:  # an interval without width
        return EValue(factor, factor, e_value(factor), e_value(factor), said)
    bound = float(brentq(lambda b: _lower_end(b, risks, reach) - true, 1.0, factor, xtol=1e-14, rtol=1e-14))
    return EValue(factor, bound, e_value(factor), e_value(bound), said)


def e_values(estimates: pd.DataFrame, true: float | None = None, level: float = 0.95) -> pd.DataFrame:
    """The contrasts among rows of estimates, each with its E-values.

    Parameters
    ----------
    estimates
        Rows as `backpain.estimate` gives them of one survey, analysis, variation, outcome and estimator: the risks of
        the arms (named as in the contrast, "one vs other"), and contrasts of them.
    true
        On the scale of the contrasts; none: no effect.

    Returns
    -------
    The rows of contrasts with the columns `E_VALUES` added; these are missing where a row has no estimate. Whether the
    event is common is read from the risk of the other arm; the difference also needs the one arm's.

    Raises
    ------
    ValueError
        If an arm's risk is not there or there twice, and as the functions of each scale do.
    """
    contrasts = estimates[estimates["scale"].isin(CONTRAST_SCALES)]
    rows = []
    for _, row in contrasts.iterrows():
        found = None if pd.isna(row["estimate"]) else _of_row(row, estimates, true, level)
        numbers = [math.nan] * 4 if found is None else [found.ratio, found.ratio_bound, found.estimate, found.bound]
        rows.append([*numbers, "" if found is None else found.approximation])
    return contrasts.join(pd.DataFrame(rows, columns=E_VALUES, index=contrasts.index))


def _of_row(row: pd.Series, estimates: pd.DataFrame, true: float | None, level: float) -> EValue:
    one, other = (_risk_of(arm, estimates) for arm in str(row["arm"]).split(" vs ", 1))
    low, high = (None if pd.isna(row[end]) else float(row[end]) for end in ("low", "high"))
    value, ratio = float(row["estimate"]), 1.0 if true is None else true
    if row["scale"] == "risk-ratio":
        return of_risk_ratio(value, low, high, ratio)
    if row["scale"] == "risk-difference":
        return _of_difference(row, one, other, 0.0 if true is None else true, level)
    common = bool(other["estimate"] >= COMMON)
    of = of_odds_ratio if row["scale"] == "odds-ratio" else of_hazard_ratio
    return of(value, low, high, ratio, common=common)


def _of_difference(row: pd.Series, one: pd.Series, other: pd.Series, true: float, level: float) -> EValue:
    """A difference's row, whose standard error says how the two risks vary together."""
    errors = [float(each["se"]) for each in (one, other, row)]
    if not np.isfinite(errors).all():
        raise ValueError(f"e-values: {row['arm']} has a risk or a difference without standard error; leave the row out")
    both = (errors[0] ** 2 + errors[1] ** 2 - errors[2] ** 2) / 2
    share = float(one["weighted_people"]) / (float(one["weighted_people"]) + float(other["weighted_people"]))
    df = float(row["df"]) if "df" in row and pd.notna(row["df"]) else float(row["design_df"])
    matrix = ((errors[0] ** 2, both), (both, errors[1] ** 2))
    risks = TwoRisks(float(one["estimate"]), float(other["estimate"]), share, matrix, df=df)
    return of_risk_difference(risks, true, level)


def _risk_of(arm: str, estimates: pd.DataFrame) -> pd.Series:
    found = estimates[(estimates["scale"] == "risk") & (estimates["arm"] == arm)]
    if len(found) != 1:
        raise ValueError(
            f"e-values: {len(found)} rows hold the risk of arm {arm!r}, and one is needed; give the rows of one "
            "survey, analysis, variation, outcome and estimator, with the arms' risks"
        )
    return found.iloc[0]


def _lower_end(factor: float, risks: TwoRisks, reach: float) -> float:
    """The lower end of the interval of the difference that a bias factor leaves (Ding and VanderWeele 2016, p. 376)."""
    (one, both), (_, other) = risks.covariance
    difference = risks.treated - risks.untreated * factor
    standard = risks.share_treated + (1 - risks.share_treated) / factor
    variance = (one - 2 * factor * both + factor**2 * other) * standard**2
    variance += difference**2 * (1 - 1 / factor) ** 2 * risks.share_error**2
    return difference * standard - reach * math.sqrt(max(variance, 0.0))


def _risk_ratio_of_hazards(ratio: float) -> float:
    return (1 - 0.5 ** math.sqrt(ratio)) / (1 - 0.5 ** math.sqrt(1 / ratio))


def _of_ratio(
    estimate: float,
    low: float | None,
    high: float | None,
    true: float,
    as_risk_ratio: Callable[[float], float],
    approximation: str,
) -> EValue:
    """The E-values of a ratio made a risk ratio; they are those of its distance from the true one."""
    for name, value in (("estimate", estimate), ("low", low), ("high", high), ("true value", true)):
        if value is not None:
            _positive(name, value)
    _check_interval(estimate, low, high)
    ratio, truth = as_risk_ratio(estimate), as_risk_ratio(true)
    away = ratio / truth
    near = low if away > 1 else high
    if near is None:
        return EValue(away, math.nan, e_value(away), math.nan, approximation)
    bound = as_risk_ratio(near) / truth
    held = away == 1 or (bound <= 1 if away > 1 else bound >= 1)
    return EValue(away, 1.0 if held else bound, e_value(away), 1.0 if held else e_value(bound), approximation)


def _check_interval(estimate: float, low: float | None, high: float | None) -> None:
    if low is not None and low > estimate:
        raise ValueError(f"interval: its lower end {low} lies above the estimate {estimate}; check the numbers")
    if high is not None and high < estimate:
        raise ValueError(f"interval: its upper end {high} lies below the estimate {estimate}; check the numbers")


def _positive(name: str, value: float) -> None:
    if not (math.isfinite(value) and value > 0):
        raise ValueError(
            f"{name}: a ratio of {value}; it must be finite and above 0 (give the ratio, not its logarithm)"
        )


__all__ = [
    "COMMON",
    "E_VALUES",
    "EValue",
    "TwoRisks",
    "e_value",
    "e_values",
    "of_hazard_ratio",
    "of_odds_ratio",
    "of_risk_difference",
    "of_risk_ratio",
    "of_standardised_difference",
]
