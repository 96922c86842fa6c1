"""Logistic regression with design-based standard errors."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy.stats import t

from backpain.design import Design, t_quantile
from backpain.regression.logistic import logistic
from backpain.regression.terms import Term, design_matrix

DEGREES: dict[str, Callable[[int, int], int]] = {
    "design": lambda df, k: df,
    "design minus terms": lambda df, k: df + 1 - k,
}


def survey_logistic(
    frame: pd.DataFrame,
    outcome: str,
    terms: Sequence[Term],
    design: Design,
    domain: ArrayLike | None = None,
    df: str = "design",
    level: float = 0.95,
) -> pd.DataFrame:
    """Logistic regression with design-based standard errors: R's `svyglm(family = quasibinomial)`.

    Parameters
    ----------
    frame
        The people of the design, row by row; outcome and terms may be missing outside the domain only.
    domain
        (people,) mask of the people the model is fitted to.
    df
        `design`: PSUs less strata in the domain; `design minus terms`: that, plus 1, less the coefficients
        (R's default).

    Returns
    -------
    Rows (term, estimate, se, df, low, high, p, people, converged, reason), on the log-odds scale.

    Raises
    ------
    ValueError
        If the degrees of freedom are not positive, the outcome is missing or not 0-1, and as `coding_of`.
    """
    if df not in DEGREES:
        raise ValueError(f"survey_logistic: df {df!r} is not known; choose {', '.join(DEGREES)}")
    members = design.members(domain)
    part = frame.loc[members]
    if part[outcome].isna().any():
        raise ValueError(f"{outcome}: missing for {int(part[outcome].isna().sum())} people of the domain")
    matrix, columns = design_matrix(part, terms)
    freedom = DEGREES[df](design.degrees_of_freedom_in(members), len(columns))
    if freedom <= 0:
        raise ValueError(
            f"survey_logistic: {freedom} degrees of freedom ({df}) for {len(columns)} coefficients; declare "
            "fewer terms, or df `design`"
        )
    fit = logistic(matrix, part[outcome].to_numpy(dtype=float), design.weight[members], columns, "statsmodels")
    se = np.full(len(columns), np.nan)
    if fit.converged:
        influence = np.zeros((len(frame), len(columns)))
        influence[members] = fit.influence
        se = np.sqrt(np.diag(design.covariance(influence, members)))
    reach = t_quantile(freedom, level) * se
    return pd.DataFrame(
        {
            "term": columns,
            "estimate": fit.coefficients,
            "se": se,
            "df": freedom,
            "low": fit.coefficients - reach,
            "high": fit.coefficients + reach,
            "p": 2 * t.sf(np.abs(fit.coefficients / se), freedom),
            "people": int(members.sum()),
            "converged": fit.converged,
            "reason": fit.reason,
        }
    )
