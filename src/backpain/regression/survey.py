"""Regression of any family with design-based standard errors."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from backpain.design import Sampling
from backpain.regression.families import SINGLE
from backpain.regression.fit import fit
from backpain.regression.forms import numbers_of
from backpain.regression.outcomes import read_outcome
from backpain.regression.result import DEGREES, Regression, degrees, estimated
from backpain.regression.terms import INTERCEPT, Term, coding_of

Numbers = NDArray[np.float64]


def survey_regression(
    frame: pd.DataFrame,
    outcome: str,
    terms: Sequence[Term] | str,
    design: Sampling,
    family: str = "logistic",
    domain: ArrayLike | None = None,
    df: str = "design",
    level: float = 0.95,
    offset: str | None = None,
    engine: str = "newton",
    information: str = "expected",
) -> Regression:
    """Regression with design-based standard errors: R's `svyglm` and `svyolr`, and multinomial beside them.

    Parameters
    ----------
    frame
        The people of the design, row by row; outcome, terms and offset may be missing outside the domain only.
    outcome
        A column: 0-1 or boolean, numbers, or categories, as the family takes it. The first category is the
        multinomial reference.
    terms
        As `coding_of` takes them: a list of terms, or the right-hand side of a formula.
    family
        One of `FAMILIES`. `poisson` of a 0-1 outcome gives risk ratios like `log-binomial`, and always fits.
    domain
        (people,) mask of the people the model is fitted to.
    df
        `design`: PSUs less strata in the domain; `design minus terms`: that, plus 1, less the columns of the
        model (R's default; the thresholds of `ordinal` count as the one intercept they stand for).
        ASSUME: a multinomial model counts its columns once, not once per category.
    offset
        A column added to the linear predictor, such as the logarithm of a time at risk.
    engine
        `newton`, or `statsmodels` to have it fitted by both, which must agree.
    information
        `expected` (R's `svyglm`) or `observed`; see `fit`.

    Returns
    -------
    The regression. One that cannot be fitted is marked as not converged, with the reason and without numbers.

    Raises
    ------
    ValueError
        If the degrees of freedom are not positive, the outcome or offset is missing or not as the family takes
        it, a choice is not known, and as `coding_of` does.
    """
    if df not in DEGREES:
        raise ValueError(f"survey_regression: df {df!r} is not known; choose {', '.join(DEGREES)}")
    members = design.members(domain)
    if len(frame) != len(members):
        raise ValueError(f"survey_regression: {len(frame)} people for a design of {len(members)}; give all of them")
    if not members.any():
        raise ValueError("survey_regression: nobody is in the domain; widen it")
    part = frame if members.all() else frame.loc[members]
    weight = design.weight[members]
    if not (weight > 0).any():
        raise ValueError("survey_regression: nobody in the domain has a weight above zero; widen it")
    kind, values = read_outcome(part, outcome, family, weight)
    coding = coding_of(part, terms)
    if family == "ordinal" and coding.columns[0] != INTERCEPT:
        raise ValueError("survey_regression: an ordinal model has thresholds for intercepts; leave the intercept in")
    degrees(design, members, df, len(coding.columns))
    beside = None if offset is None else _offset(part, offset, family)
    fitted = fit(coding.matrix(part), values, weight, kind, coding.columns, engine, beside, information)
    empty = np.zeros((0, 0))
    return estimated(Regression(outcome, fitted, coding, part, design, members, empty, 0, df, level))


def _offset(part: pd.DataFrame, offset: str, family: str) -> Numbers:
    if family not in SINGLE:
        raise ValueError(f"survey_regression: {family} regression takes no offset; leave it out")
    return numbers_of(part, offset)
