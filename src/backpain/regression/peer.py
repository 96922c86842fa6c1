"""statsmodels beside our own engine: each checks the other."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t

from backpain.design import t_quantile
from backpain.regression.categories import Multinomial, Ordinal
from backpain.regression.families import Family, statsmodels_family
from backpain.regression.newton import Kind
from backpain.regression.rows import Rows

if TYPE_CHECKING:
    from backpain.regression.fit import Fit

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
        gap: Numbers = _fitted(rows, kind) - coefficients
    elif isinstance(kind, Multinomial | Ordinal):
        gap = np.asarray(
            np.linalg.solve(kind.information(rows, coefficients), _slope(rows, kind, coefficients)), dtype=float
        )
    largest = float(np.abs(gap).max() / (1 + np.abs(coefficients).max()))
    return "" if largest < AGREEMENT else f"statsmodels and Newton's method differ by {largest:.1e}"


def generalised(rows: Rows, kind: Family) -> Any:
    """statsmodels' model of these people, not yet fitted."""
    import statsmodels.api as sm
    from statsmodels.tools.sm_exceptions import DomainWarning

    with warnings.catch_warnings():
        # It warns that a log link can pass 1; our own fit has seen to that.
        warnings.simplefilter("ignore", DomainWarning)
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


def summary(fitted: Fit, outcome: str, covariance: Numbers, df: int, level: float) -> Any:
    """statsmodels' own summary of a fit, with a variance and degrees of freedom from elsewhere.

    Outcomes of several categories, whose models take no weights there, get its table of coefficients alone.
    """
    if isinstance(fitted.kind, Family):
        rows = fitted.rows.weighted(fitted.rows.weight)
        done = generalised(rows, fitted.kind).fit(start_params=fitted.coefficients, maxiter=0)
        results = getattr(done, "_results", done)
        results.cov_params_default, results.cov_type = covariance, "design-based"
        results.use_t, results.df_resid_inference, results.converged = True, df, True
        return done.summary(yname=outcome, xname=fitted.names, title="Survey regression", alpha=round(1 - level, 12))
    return _coefficients(fitted, outcome, covariance, df, level)


def _coefficients(fitted: Fit, outcome: str, covariance: Numbers, df: int, level: float) -> Any:
    from statsmodels.iolib.summary import Summary, summary_params
    from statsmodels.iolib.table import SimpleTable

    b, se = fitted.coefficients, np.sqrt(np.diag(covariance))
    reach = t_quantile(df, level) * se
    told = (None, b, se, b / se, 2 * t.sf(np.abs(b / se), df), np.column_stack([b - reach, b + reach]))
    facts = [
        ["Dep. Variable:", outcome, "No. Observations:", str(int((fitted.rows.weight > 0).sum()))],
        ["Model Family:", fitted.kind.name, "Df Residuals:", str(df)],
        ["Covariance Type:", "design-based", "Log-Likelihood:", f"{fitted.likelihood:.6g}"],
    ]
    made = Summary()
    made.tables.append(SimpleTable(facts, title="Survey regression"))
    made.tables.append(summary_params(told, yname=outcome, xname=fitted.names, alpha=round(1 - level, 12), use_t=True))
    return made
