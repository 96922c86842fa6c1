"""Estimates a trial by named estimators that share their models of treatment and of loss."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pandas as pd

from backpain.design import Design
from backpain.estimate.by_arm import doubly_robust, standardisation_by_arm
from backpain.estimate.estimators import conditional, standardisation, unadjusted, weighting
from backpain.nuisance import Nuisance, fit_nuisance
from backpain.regression import Term

Estimator = Callable[[pd.DataFrame, Sequence[Term], Design, Nuisance], pd.DataFrame]

ESTIMATORS: dict[str, Estimator] = {
    "unadjusted": unadjusted,
    "weighting": weighting,
    "standardisation": standardisation,
    "logistic": conditional,
    "standardisation-by-arm": standardisation_by_arm,
    "doubly-robust": doubly_robust,
}
USUAL = ("unadjusted", "weighting", "standardisation", "logistic")


def estimate(
    participants: pd.DataFrame,
    terms: Sequence[Term],
    skeleton: pd.DataFrame | None = None,
    lonely: str = "adjust",
    estimators: Sequence[str] = USUAL,
    loss_terms: Sequence[Term] | None = None,
    population: str = "everyone",
    lost: str = "weighted",
    nuisance: Nuisance | None = None,
) -> pd.DataFrame:
    """Estimate a trial by several estimators that share the models of treatment and of loss.

    Parameters
    ----------
    participants
        One row per person: weight, treated, followed, event (missing exactly for the lost), the terms'
        variables, and stratum and psu where the survey has them (without: a simple random sample).
    terms, loss_terms, population, lost
        As in `fit_nuisance`.
    skeleton, lonely
        As in `Design.of`; the participants are a domain of the survey.
    estimators
        Names in `ESTIMATORS`; `USUAL` unless given.
    nuisance
        Fitted before with the same arguments, to save fitting again.

    Returns
    -------
    Rows with the columns `COLUMNS`. Of ratios, `se` is on the log scale. `people` and `weighted_people` count
    everyone in the arm, the lost too; `events` are those seen. Rows of a model that did not converge say so,
    with the reason and without numbers.

    Raises
    ------
    ValueError
        For unknown estimators, and as `fit_nuisance` and `Design.of` do.
    """
    if strays := [name for name in estimators if name not in ESTIMATORS]:
        raise ValueError(f"estimators: {', '.join(strays)} not known; choose from {', '.join(ESTIMATORS)}")
    if "event" not in participants:
        raise ValueError("participants: there is no column 'event'")
    design = design_of(participants, skeleton, lonely)
    shared = nuisance or fit_nuisance(participants, terms, loss_terms, population, lost)
    return pd.concat([ESTIMATORS[name](participants, terms, design, shared) for name in estimators], ignore_index=True)


def design_of(people: pd.DataFrame, skeleton: pd.DataFrame | None, lonely: str) -> Design:
    """The design by the columns there are: without stratum one stratum, without psu everyone drawn alone."""
    stratum, cluster = ("stratum" if "stratum" in people else None), ("psu" if "psu" in people else None)
    return Design.of(people, skeleton if cluster else None, stratum, cluster, lonely=lonely)
