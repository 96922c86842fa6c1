"""Carries an association through its estimators."""

from __future__ import annotations

import numpy as np
import pandas as pd

from backpain.estimate import associate
from backpain.sampling import sampled
from backpain.spec import Association, Survey
from backpain.trials.scope import DESCRIPTION, ESTIMATES


def associate_survey(
    people: pd.DataFrame, skeleton: pd.DataFrame, association: Association, survey: Survey
) -> pd.DataFrame:
    """The rows of estimates.csv for one association: prevalence by group, crude and standardised.

    `people` is everyone with a weight, marked by `in_domain`, as `domain_of` returns them.
    """
    rows = associate(
        people,
        "outcome",
        association.exposure,
        association.reference,
        association.terms,
        people["in_domain"],
        design=sampled(people, survey, skeleton),
    )
    rows = rows.assign(
        survey=survey.name,
        analysis=association.name,
        variation="main",
        estimand="association",
        outcome=association.outcome.variable,
        domain="; ".join(association.domain),
        adjusted_for=np.where(rows["estimator"] == "unadjusted", "", "; ".join(association.names)),
        gate=DESCRIPTION,
    )
    return rows[ESTIMATES]
