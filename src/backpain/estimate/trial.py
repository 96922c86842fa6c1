"""Estimates a trial by named estimators that share their models of treatment and of loss."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from backpain.design import Design, Replicated, Sampling, replicated
from backpain.estimate.by_arm import doubly_robust, standardisation_by_arm
from backpain.estimate.estimators import Found, arms_of, conditional, standardisation, unadjusted, weighting
from backpain.estimate.replicates import REPLICATED, Refits
from backpain.estimate.rows import Group, Quantity, Source, contrasts_of, failed_rows, risks_of, table
from backpain.nuisance import Nuisance, fit_nuisance
from backpain.regression import Term

Numbers = NDArray[np.float64]
Estimator = Callable[[pd.DataFrame, Sequence[Term], Nuisance], Found]

ESTIMATORS: dict[str, Estimator] = {
    "unadjusted": unadjusted,
    "weighting": weighting,
    "standardisation": standardisation,
    "logistic": conditional,
    "standardisation-by-arm": standardisation_by_arm,
    "doubly-robust": doubly_robust,
}
USUAL = ("unadjusted", "weighting", "standardisation", "logistic")
# Estimators of a contrast alone, whose arms have no risks.
CONTRAST_ONLY = {"logistic": "odds-ratio"}


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
    resampling: Mapping[str, Any] | None = None,
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
    resampling
        Arguments of `design.replicated`, such as `{"kind": "bootstrap", "replicates": 500, "seed": 1}`: standard
        errors from replicate weights with every model fitted again in each. None: by linearisation.

    Returns
    -------
    Rows with the columns `COLUMNS`. Of ratios, `se` is on the log scale. `people` and `weighted_people` count
    everyone in the arm, the lost too; `events` are those seen. Rows of a model that did not converge say so,
    with the reason and without numbers.

    Raises
    ------
    ValueError
        For unknown estimators, and as `fit_nuisance`, `Design.of` and `replicated` do.
    """
    if strays := [name for name in estimators if name not in ESTIMATORS]:
        raise ValueError(f"estimators: {', '.join(strays)} not known; choose from {', '.join(ESTIMATORS)}")
    if "event" not in participants:
        raise ValueError("participants: there is no column 'event'")
    sample = design_of(participants, skeleton, lonely)
    design = sample if resampling is None else replicated(sample, **resampling)
    shared = nuisance or fit_nuisance(participants, terms, loss_terms, population, lost)
    refits = Refits.of(participants, terms, design, shared) if isinstance(design, Replicated) else None
    rows: list[dict[str, Any]] = []
    for name in estimators:
        found = ESTIMATORS[name](participants, terms, shared)
        rows += rows_of(name, found, design, arms_of(shared), refits)
    return table(rows)


def rows_of(
    name: str, found: Found, design: Sampling, arms: Sequence[Group], refits: Refits | None = None
) -> list[dict[str, Any]]:
    """The rows of one estimator: risks and contrasts with the design's variance, or the reason there are none."""
    reason, covariance = found.reason, np.empty((0, 0))
    if not reason and refits is not None:
        values = REPLICATED[name](refits)
        lost = np.asarray(~np.isfinite(values).all(axis=1))
        if lost.any():
            told = Counter(refits.reasons(lost)).most_common(1)
            reason = f"replicates: {int(lost.sum())} of {len(values)} give no estimate"
            reason += f" (mostly {told[0][0]})" if told else ""
        else:
            covariance = refits.design.spread(values, found.value)
    elif not reason and isinstance(design, Design):
        covariance = design.covariance(found.influence)
    source = Source(name, design.degrees_of_freedom_in(), reason)
    if reason:
        only = CONTRAST_ONLY.get(name)
        return failed_rows(arms, source, [only], risks=False) if only else failed_rows(arms, source)
    return [quantity.row(source) for quantity in quantities(name, found, covariance, arms)]


def quantities(name: str, found: Found, covariance: Numbers, arms: Sequence[Group]) -> list[Quantity]:
    """What an estimator found, on the working scales."""
    if name in CONTRAST_ONLY:
        se = float(np.sqrt(covariance[0, 0]))
        return [Quantity(arms[0].beside(arms[1]), CONTRAST_ONLY[name], float(found.value[0]), se)]
    return [*risks_of(arms, found.value, covariance), *contrasts_of(arms, found.value, covariance)]


def design_of(people: pd.DataFrame, skeleton: pd.DataFrame | None, lonely: str) -> Design:
    """The design by the columns there are: without stratum one stratum, without psu everyone drawn alone."""
    stratum, cluster = ("stratum" if "stratum" in people else None), ("psu" if "psu" in people else None)
    return Design.of(people, skeleton if cluster else None, stratum, cluster, lonely=lonely)
