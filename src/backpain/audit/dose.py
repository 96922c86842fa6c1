"""The risk of an outcome along an amount: a restricted cubic spline, standardised, with tests of its shape.

The curve is of average predicted risks (Graubard and Korn 1999, Biometrics 55:652) with the model's estimation carried through
and a band that holds all of it. A U is shown where the risk falls up to the middle and rises from it: both one-sided tests, of
which the larger p counts (Lind and Mehlum 2010, Oxf Bull Econ Stat 72:109).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import stdtr

from backpain.audit.rows import Marks, averages, failed, finding
from backpain.design import Design, t_quantile
from backpain.regression import Regression, Term, survey_regression
from backpain.sequence import simultaneous

Numbers = NDArray[np.float64]

CURVE = [
    "amount",
    "risk",
    "se",
    "low",
    "high",
    "difference",
    "difference_low",
    "difference_high",
    "band_low",
    "band_high",
    "people_share",
]
POINTS = 41  # of the curve
ENDS = (0.01, 0.99)  # shares of the people between which it is drawn


@dataclass(frozen=True)
class Amount:
    """An exposure by its amount, and the amounts that are compared."""

    variable: str
    label: str
    knots: int | list[float]
    low: float
    high: float
    middle: float | None = None


def dose_response(
    people: pd.DataFrame, outcome: str, amount: Amount, terms: Sequence[Term], design: Design, domain: Marks
) -> tuple[list[dict[str, Any]], pd.DataFrame]:
    """Contrasts and tests of the curve, and the curve itself.

    Returns
    -------
    findings : list of dict
        Columns `FINDINGS`: risks at the declared amounts, the difference of high and low (and with a middle those of low and
        high against it), the test that the curve is a straight line on the log-odds, and with a middle that of a U.
    curve : DataFrame
        Columns `CURVE`: risks by amount, differences from the risk at `low` with intervals and a band for all of them, and the
        weighted share of people from the amount before up to this one.

    Raises
    ------
    ValueError
        As `survey_regression` does; knots that fall together name the variable.
    """
    spline = {"variable": amount.variable, "as": "restricted cubic spline", "knots": amount.knots}
    model = survey_regression(people, outcome, [spline, *terms], design, domain=domain)
    if not model.converged:
        return [
            failed("risk-difference", amount.label, "high against low", "risk-difference", model.reason)
        ], pd.DataFrame(columns=CURVE)
    values = people[amount.variable].to_numpy(dtype=float, na_value=np.nan)[domain]
    weight = design.weight[domain]
    order = np.argsort(values)
    reached = np.cumsum(weight[order]) / weight.sum()
    first, last = (float(values[order][np.searchsorted(reached, share)]) for share in ENDS)
    grid = np.unique(np.concatenate([np.linspace(first, last, POINTS), _compared(amount)]))
    frame = people.loc[domain]
    risk, spread = averages(model, (frame.assign(**{amount.variable: at}) for at in grid), design, domain)
    df = float(model.freedom)
    findings = [*_contrasts(amount, grid, risk, spread, df), _straight(model, amount, df)]
    if amount.middle is not None:
        findings.append(_bent(amount, grid, risk, spread, df))
    share = np.interp(grid, values[order], reached)
    curve = _curve(amount, grid, risk, spread, df).assign(people_share=np.diff(share, prepend=0.0))
    return findings, curve[CURVE]


def _compared(amount: Amount) -> list[float]:
    return [value for value in (amount.low, amount.middle, amount.high) if value is not None]


def _contrast(grid: Numbers, one: float, other: float) -> Numbers:
    return (grid == one).astype(float) - (grid == other).astype(float)


def _contrasts(amount: Amount, grid: Numbers, risk: Numbers, spread: Numbers, df: float) -> list[dict[str, Any]]:
    rows = []
    for value in _compared(amount):
        place = int(np.flatnonzero(grid == value)[0])
        se = float(np.sqrt(spread[place, place]))
        # That a risk differs from none needs no test.
        rows.append(finding("risk", amount.label, f"at {value:g}", "risk", float(risk[place]), se, df) | {"p": np.nan})
    pairs = {"high against low": (amount.high, amount.low)}
    if amount.middle is not None:
        pairs |= {
            "low against middle": (amount.low, amount.middle),
            "high against middle": (amount.high, amount.middle),
        }
    for words, (one, other) in pairs.items():
        pick = _contrast(grid, one, other)
        se = float(np.sqrt(pick @ spread @ pick))
        rows.append(finding("risk-difference", amount.label, words, "risk-difference", float(pick @ risk), se, df))
    return rows


def _straight(model: Regression, amount: Amount, df: float) -> dict[str, Any]:
    """Whether the columns beyond the straight one are all zero."""
    bent = [name for name in model.fit.names if name.startswith(f"{amount.variable}'")]
    test = model.wald(bent)
    return failed("not-straight", amount.label, "whole curve", "test", "") | {"p": float(test.p), "design_df": df}


def _bent(amount: Amount, grid: Numbers, risk: Numbers, spread: Numbers, df: float) -> dict[str, Any]:
    """Whether the risk is lower in the middle than at both ends."""
    p = 0.0
    for end in (amount.low, amount.high):
        pick = _contrast(grid, end, float(amount.middle or 0))
        p = max(p, float(stdtr(df, -float(pick @ risk) / float(np.sqrt(pick @ spread @ pick)))))
    return failed("u-shape", amount.label, "whole curve", "test", "") | {"p": p, "design_df": df}


def _curve(amount: Amount, grid: Numbers, risk: Numbers, spread: Numbers, df: float) -> pd.DataFrame:
    se = np.sqrt(np.diag(spread))
    reach = float(t_quantile(df))
    away = risk * (1 - risk)
    odds = np.log(risk / (1 - risk))
    ends = [1 / (1 + np.exp(-(odds + sign * reach * se / away))) for sign in (-1, 1)]
    zero = (grid == amount.low).astype(float)
    turn = np.eye(len(grid)) - zero[None, :]
    both = turn @ spread @ turn.T
    difference, error = risk - float(zero @ risk), np.sqrt(np.clip(np.diag(both), 0.0, None))
    wide = simultaneous(both, df)
    return pd.DataFrame(
        {
            "amount": grid,
            "risk": risk,
            "se": se,
            "low": ends[0],
            "high": ends[1],
            "difference": difference,
            "difference_low": difference - reach * error,
            "difference_high": difference + reach * error,
            "band_low": difference - wide * error,
            "band_high": difference + wide * error,
        }
    )


__all__ = ["CURVE", "Amount", "dose_response"]
