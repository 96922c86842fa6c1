"""Likelihood profiles of weighted trials, where there is no likelihood.

A weighted sample of clusters has a pseudo-likelihood, too sharp or too blunt by the design effect. Divided by it, its
ratio statistic is chi-squared again (Rao and Scott 1984, Ann Stat 12:46; Lumley and Scott 2014, Aust N Z J Stat 56:1;
2015, J Surv Stat Methodol 3:1), and its shape tells where few events make it lean. Two ways to the design effect:

`weighted_profile` and `arms_profile`: two binomials, one for each arm, of as many people as the arm's weights are worth
(Kish 1965). Nothing in it depends on which people had the events, so that it holds for two events as for two hundred,
or for none in one arm. It is the choice for negative controls.

`coefficient_profile`: the weighted outcome model's pseudo-likelihood, divided by how much larger the design's variance
of the coefficient is than the model's. The variance must be known well, and from few events it is not: it goes up and
down with the estimate itself. For outcomes with events enough.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.special import xlog1py, xlogy

from backpain.calibrate.profiles import REACH, VALUES, rows_of
from backpain.diagnose import effective_sample_size
from backpain.nuisance import Nuisance
from backpain.regression import Fit, fit

RATIOS = ("risk-ratio", "odds-ratio")


def weighted_profile(
    nuisance: Nuisance, control: str, ratio: str = "risk-ratio", design_effect: float = 1.0
) -> pd.DataFrame:
    """The profile of a trial's log ratio by `weighting`: treated against untreated, inverse-probability weighted.

    Parameters
    ----------
    nuisance
        As fitted for the control's own at-risk set.
    control
        Its name.
    ratio
        `risk-ratio` or `odds-ratio`.
    design_effect
        Of clustering, beyond that of the weights.

    Returns
    -------
    Rows (control, value, log_likelihood).

    Raises
    ------
    ValueError
        If a model of the weights did not converge, and as `arms_profile` does.
    """
    # ASSUME: a negative control's events are rare and of different kinds, so that people of one PSU are hardly more
    # alike in them than others; the weights are all of the design effect. `design_effect` takes another view.
    # ASSUME: the estimation of the weights is not carried through, which as a rule makes profiles a little too blunt.
    if not nuisance.converged:
        raise ValueError(f"{control}: the weights cannot be used: {nuisance.reason}")
    trial, weight = nuisance.trial, nuisance.analysis_weight
    risk, people = [], []
    for arm in (trial.treated, ~trial.treated):
        held = weight[arm]
        risk.append(float(held @ trial.event[arm] / held.sum()))
        people.append(effective_sample_size(held[held > 0]) / design_effect)
    return arms_profile(control, (risk[0], risk[1]), (people[0], people[1]), ratio)


def arms_profile(
    control: str, risk: tuple[float, float], people: tuple[float, float], ratio: str = "risk-ratio"
) -> pd.DataFrame:
    """The profile of a log ratio of two risks, each binomial, maximised over the risk of the second arm.

    Miettinen and Nurminen 1985, Stat Med 4:213, for the maxima.

    Parameters
    ----------
    risk
        Of the treated and the untreated, from 0 to 1; one of them may be 0.
    people
        How many people each arm is worth; need not be whole.
    ratio
        `risk-ratio` or `odds-ratio`.

    Raises
    ------
    ValueError
        If nobody, or everybody of an arm, had the event, an arm is worth nobody, or the ratio is not known.
    """
    (one, other), (n, m) = risk, people
    if ratio not in RATIOS:
        raise ValueError(f"{control}: the ratio {ratio!r} is not known; choose {', '.join(RATIOS)}")
    if not (0 <= one < 1 and 0 <= other < 1 and n > 0 and m > 0):
        raise ValueError(
            f"{control}: risks {risk} of {people} people make no profile; risks are below 1, people above 0"
        )
    if one == other == 0:
        raise ValueError(f"{control}: nobody had the event, so it says nothing; leave it out")
    x, y = one * n, other * m
    middle = np.log((x + 0.5) / (n + 0.5)) - np.log((y + 0.5) / (m + 0.5))
    values = middle + np.hypot((x + 0.5) ** -0.5, (y + 0.5) ** -0.5) * np.linspace(-REACH, REACH, VALUES)
    times = np.exp(values)
    if ratio == "risk-ratio":
        half = n * times + x + m + y * times
        base = 2 * (x + y) / (half + np.sqrt(half**2 - 4 * (n + m) * times * (x + y)))
        treated = times * base
    else:
        half = n * times + m - (x + y) * (times - 1)
        base = 2 * (x + y) / (half + np.sqrt(half**2 + 4 * m * (times - 1) * (x + y)))
        treated = times * base / (1 + (times - 1) * base)
    heights = xlogy(x, treated) + xlog1py(n - x, -treated) + xlogy(y, base) + xlog1py(m - y, -base)
    return rows_of(control, values, heights)


def coefficient_profile(fitted: Fit, column: str, variance: float, control: str, values: int = 65) -> pd.DataFrame:
    """The profile of one coefficient of a weighted regression, divided by its design effect.

    At each value the model is fitted again with that coefficient held; the bend at the top then is one over the
    design-based variance.

    Parameters
    ----------
    fitted
        The outcome model, such as a logistic regression on treatment and confounders.
    column
        The treatment's column.
    variance
        Design-based, of that coefficient.
    control
        The name of what is estimated.
    values
        How many values the profile has, over eight standard errors to each side.

    Raises
    ------
    ValueError
        If the model or one of its refits did not converge, the column is absent, or the variance is not above 0.
    """
    if not fitted.converged:
        raise ValueError(f"{control}: the outcome model cannot be used: {fitted.reason}; `arms_profile` may do")
    if column not in fitted.columns:
        raise ValueError(f"{control}: the model has no column {column!r}; it has {', '.join(fitted.columns)}")
    if not (np.isfinite(variance) and variance > 0):
        raise ValueError(f"{control}: variance {variance} is not above 0; `arms_profile` needs none")
    place, rows = fitted.columns.index(column), fitted.rows
    others = [name for name in fitted.columns if name != column]
    x, kept = rows.matrix[:, place], np.delete(rows.matrix, place, axis=1)
    beside = 0.0 if rows.offset is None else rows.offset
    grid = fitted.coefficients[place] + np.sqrt(variance) * np.linspace(-REACH, REACH, values)
    heights = []
    for value in grid:
        held = fit(kept, rows.outcome, rows.weight, fitted.kind, others, offset=beside + value * x)
        if not held.converged:
            raise ValueError(f"{control}: with {column} held at {value:.3g} the model does not settle: {held.reason}")
        heights.append(held.likelihood)
    own = fitted.bread[place, place] * rows.weight[rows.weight > 0].mean()
    return rows_of(control, grid, np.array(heights) * (own / variance))
