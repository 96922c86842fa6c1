"""statsmodels beside our own engine: each checks the other."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backpain.regression.categories import Multinomial, Ordinal
from backpain.regression.families import Family, statsmodels_family
from backpain.regression.newton import Kind
from backpain.regression.rows import Rows

Numbers = NDArray[np.float64]

# Both engines must agree on every coefficient to this, relative to 1 plus the largest.
AGREEMENT = 1e-7
MOST_STEPS = 100


def disagreement(rows: Rows, kind: Kind, coefficients: Numbers) -> str:
    """Words for how statsmodels differs from these coefficients; empty where both agree.

    Families of one linear predictor are fitted again by `GLM`. `MNLogit` and `OrderedModel` take no weights:
    of them the slope of each person's likelihood is taken, weighted, and one Newton step from it must move nothing.
    """
    if isinstance(kind, Family):
        gap = _fitted(rows, kind) - coefficients
    elif isinstance(kind, Multinomial | Ordinal):
        gap = np.linalg.solve(kind.information(rows, coefficients), _slope(rows, kind, coefficients))
    largest = float(np.abs(gap).max() / (1 + np.abs(coefficients).max()))
    return "" if largest < AGREEMENT else f"statsmodels and Newton's method differ by {largest:.1e}"


def generalised(rows: Rows, kind: Family) -> Any:
    """statsmodels' model of these people, not yet fitted."""
    import statsmodels.api as sm

    return sm.GLM(
        rows.outcome,
        np.asarray(rows.matrix),
        family=statsmodels_family(kind.name),
        freq_weights=rows.weight,
        offset=rows.offset,
    )


def _fitted(rows: Rows, kind: Family) -> Numbers:
    from statsmodels.tools.sm_exceptions import ConvergenceWarning, PerfectSeparationWarning

    # Where a log link must keep every risk below 1, the steps begin at the mean, as ours do.
    start = kind.start(rows) if kind.name == "log-binomial" else None
    with warnings.catch_warnings():
        for kind_of_warning in (ConvergenceWarning, PerfectSeparationWarning):
            warnings.simplefilter("ignore", kind_of_warning)
        done = generalised(rows, kind).fit(
            start_params=start, tol=1e-12, tol_criterion="params", maxiter=MOST_STEPS, use_t=False
        )
    return np.asarray(done.params, dtype=float)


def _slope(rows: Rows, kind: Multinomial | Ordinal, coefficients: Numbers) -> Numbers:
    """(k,) weighted slope of statsmodels' likelihood, in our order of coefficients."""
    if isinstance(kind, Multinomial):
        from statsmodels.discrete.discrete_model import MNLogit

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model = MNLogit(rows.outcome.astype(int), np.asarray(rows.matrix))
        shaped = coefficients.reshape(len(kind.levels) - 1, -1).T
        return np.asarray(rows.weight @ model.score_obs(shaped.ravel(order="F")))
    return _ordered_slope(rows, kind, coefficients)


def _ordered_slope(rows: Rows, kind: Ordinal, coefficients: Numbers) -> Numbers:
    """statsmodels' thresholds after the first are logarithms of what each adds to the one before."""
    from statsmodels.miscmodels.ordinal_model import OrderedModel

    cuts = len(kind.levels) - 1
    slopes, thresholds = coefficients[:-cuts], coefficients[-cuts:]
    model = OrderedModel(rows.outcome.astype(int), np.asarray(rows.matrix[:, 1:]), distr="logit", offset=rows.offset)
    steps = np.diff(thresholds)
    theirs = np.concatenate([slopes, thresholds[:1], np.log(steps)])
    found = rows.weight @ np.asarray(model.score_obs(theirs))
    # d likelihood / d threshold: theirs moves every later threshold, ours one.
    theta = np.concatenate([found[-cuts:][:1], found[-cuts:][1:] / steps])
    return np.concatenate([found[:-cuts], theta - np.append(theta[1:], 0.0)])
