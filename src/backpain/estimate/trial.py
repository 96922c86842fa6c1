"""Estimates a trial by named estimators that share their models of treatment and of loss."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from backpain.design import Design, Replicated, Sampling, replicated
from backpain.estimate.by_arm import doubly_robust, standardisation_by_arm
from backpain.estimate.each import EACH
from backpain.estimate.estimators import Found, arms_of, conditional, standardisation, unadjusted, weighting
from backpain.estimate.learned import doubly_robust_learned, targeted_learned
from backpain.estimate.replicates import REPLICATED, Refits
from backpain.estimate.rows import (
    CONTRASTS,
    Group,
    Quantity,
    Source,
    contrasts_of,
    failed_rows,
    needed_to_treat,
    risks_of,
    table,
)
from backpain.estimate.targeted import targeted
from backpain.estimate.weights import entropy_balancing, overlap_weighting, truncated_weighting
from backpain.impute import ResponseWeights, pool
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
    "weighting-truncated": truncated_weighting,
    "overlap-weighting": overlap_weighting,
    "entropy-balancing": entropy_balancing,
    "targeted": targeted,
    "doubly-robust-learned": doubly_robust_learned,
    "targeted-learned": targeted_learned,
}
# The same under replicates, every model fitted again in each.
REFITTED: dict[str, Callable[[Refits], Numbers]] = {**REPLICATED, **EACH}
USUAL = ("unadjusted", "weighting", "standardisation", "logistic")
# Estimators that are about other people than the declared population.
ABOUT = {"overlap-weighting": "overlap"}
# Estimators of a contrast alone, whose arms have no risks.
CONTRAST_ONLY = {"logistic": "odds-ratio"}


@dataclass(frozen=True)
class Sample:
    """One set of people to estimate from, within the sample of all participants.

    Attributes
    ----------
    people
        The rows the models are fitted to.
    design
        Of all participants, those not fitted too.
    response
        The model of which participants are complete cases, where the people are those and weighted up by it.
    """

    people: pd.DataFrame
    design: Sampling
    nuisance: Nuisance
    response: ResponseWeights | None

    def covariance(self, name: str, found: Found, refits: Refits | None) -> tuple[Numbers, str]:
        """The design's variance of what an estimator found, or why there is none."""
        if isinstance(self.design, Design):
            return self.design.covariance(self.whole(found.influence)), ""
        if name not in REFITTED:
            return np.empty(
                (0, 0)
            ), "replicates: its models are learned, and are not learned anew in each; linearise instead"
        values = REFITTED[name](refits) if refits is not None else np.empty((0, len(found.value)))
        lost = np.asarray(~np.isfinite(values).all(axis=1))
        if lost.any() and refits is not None:
            told = Counter(refits.reasons(lost)).most_common(1)
            words = f"replicates: {int(lost.sum())} of {len(values)} give no estimate"
            return np.empty((0, 0)), words + (f" (mostly {told[0][0]})" if told else "")
        return self.design.spread(values, found.value), ""

    def whole(self, influence: Numbers) -> Numbers:
        """The influence of all participants: through the model of who is a complete case, where they are weighted."""
        if self.response is None:
            return influence
        every = np.zeros((len(self.response.complete), influence.shape[1]))
        every[self.response.complete] = influence
        return every + self.response.drift(every)


def estimate(
    participants: pd.DataFrame | Sequence[pd.DataFrame],
    terms: Sequence[Term],
    skeleton: pd.DataFrame | None = None,
    lonely: str = "adjust",
    estimators: Sequence[str] = USUAL,
    loss_terms: Sequence[Term] | None = None,
    population: str = "everyone",
    lost: str = "weighted",
    nuisance: Nuisance | None = None,
    resampling: Mapping[str, Any] | None = None,
    response: ResponseWeights | None = None,
    sample: pd.DataFrame | None = None,
    design: Sampling | None = None,
) -> pd.DataFrame:
    """Estimate a trial by several estimators that share the models of treatment and of loss.

    Parameters
    ----------
    participants
        One row per person: weight, treated, followed, event (missing exactly for the lost), the terms'
        variables, and stratum and psu where the survey has them (without: a simple random sample). Several
        frames are imputations of the same people, pooled by Rubin's rules with the design's degrees of freedom.
    terms, loss_terms, population, lost
        As in `fit_nuisance`.
    skeleton, lonely
        As in `Design.of`; the participants are a domain of the survey.
    estimators
        Names in `ESTIMATORS`; `USUAL` unless given.
    nuisance
        Fitted before with the same arguments, to save fitting again; for one frame only.
    resampling
        Arguments of `design.replicated`, such as `{"kind": "bootstrap", "replicates": 500, "seed": 1}`: standard
        errors from replicate weights with every model fitted again in each. None: by linearisation.
    design
        The participants' design, made before: with stages, or with the replicate weights a survey gives. It takes the
        place of `skeleton`, `lonely` and `resampling`.
    response, sample
        Where the participants are complete cases weighted up: the model of who is one, and everyone it was fitted to.

    Returns
    -------
    Rows with the columns `COLUMNS`. Of ratios, `se` is on the log scale. `people` and `weighted_people` count
    everyone in the arm, the lost too; `events` are those seen. Rows of a model that did not converge say so,
    with the reason and without numbers. Rows pooled over imputations have their number, the degrees of freedom of
    Barnard and Rubin, the share of the variance due to missing values and the Monte Carlo error on the working scale.

    Raises
    ------
    ValueError
        For unknown estimators, for replicates of weighted complete cases (the model of the response would have to be
        fitted again too), and as `fit_nuisance`, `Design.of` and `replicated` do.
    """
    sets = [participants] if isinstance(participants, pd.DataFrame) else list(participants)
    _check(sets, estimators, resampling, response, design)
    everyone = sets[0] if response is None or sample is None else sample
    if design is None:
        linear = design_of(everyone, skeleton, lonely)
        design = linear if resampling is None else replicated(linear, **resampling)
    samples = [
        Sample(people, design, nuisance or fit_nuisance(people, terms, loss_terms, population, lost), response)
        for people in sets
    ]
    refits = [
        Refits.of(one.people, terms, design, one.nuisance) if isinstance(design, Replicated) else None
        for one in samples
    ]
    rows = [row for name in estimators for row in rows_of(name, terms, samples, refits)]
    return table([found for row in rows for found in told(row)])


def without_numbers(people: pd.DataFrame, estimators: Sequence[str], df: int, reason: str) -> pd.DataFrame:
    """The rows of `estimate` for people whom no estimator can be tried on, such as those of one arm alone, and why."""
    treated = people["treated"].to_numpy(dtype=bool)
    event = people["event"].fillna(False).to_numpy(dtype=bool)
    arms = [
        Group(name, int(arm.sum()), int(event[arm].sum()), float(people.loc[arm, "weight"].sum()))
        for name, arm in (("treated", treated), ("untreated", ~treated))
    ]
    rows = []
    for name in estimators:
        source, only = Source(name, df, reason), CONTRAST_ONLY.get(name)
        scales = (only,) if only else tuple(CONTRASTS)
        rows += failed_rows(arms, source, scales, risks=only is None)
    return table([found for row in rows for found in told(row)])


def told(row: dict[str, Any]) -> list[dict[str, Any]]:
    """A row, and after that of a risk difference the number of people needed to treat."""
    return [row, needed_to_treat(row)] if row["scale"] == "risk-difference" else [row]


def rows_of(
    name: str, terms: Sequence[Term], samples: Sequence[Sample], refits: Sequence[Refits | None]
) -> list[dict[str, Any]]:
    """The rows of one estimator: risks and contrasts with the design's variance, or the reason there are none."""
    arms, only = arms_of(samples[0].nuisance), CONTRAST_ONLY.get(name)
    df, population = samples[0].design.degrees_of_freedom_in(), ABOUT.get(name, samples[0].nuisance.population)
    found: list[list[Quantity]] = []
    for place, (one, refit) in enumerate(zip(samples, refits, strict=True), 1):
        mine = ESTIMATORS[name](one.people, terms, one.nuisance)
        covariance, reason = (np.empty((0, 0)), mine.reason) if mine.reason else one.covariance(name, mine, refit)
        if reason:
            source = Source(name, df, f"imputation {place}: {reason}" if len(samples) > 1 else reason, population)
            return failed_rows(arms, source, [only], risks=False) if only else failed_rows(arms, source)
        found.append(quantities(name, mine, covariance, arms))
    source = Source(name, df, population=population)
    if len(found) == 1:
        return [quantity.row(source) for quantity in found[0]]
    return [pooled_row(source, each) for each in zip(*found, strict=True)]


def pooled_row(source: Source, each: Sequence[Quantity]) -> dict[str, Any]:
    """One quantity pooled over imputations on its working scale; without a standard error where one of them has none."""
    first, values = each[0], np.array([quantity.value for quantity in each])
    errors = np.array([quantity.se for quantity in each])
    if not (np.isfinite(values).all() and (errors > 0).all() and source.df > 0):
        return first._replace(value=float(values.mean()), se=np.nan).row(source)
    told = pool(values, se=errors, df_complete=source.df)
    row = first._replace(value=float(told.pooled[0]), se=float(told.se[0])).row(source, float(told.df[0]))
    return row | {
        "imputations": len(each),
        "df": float(told.df[0]),
        # Not the fraction of missing information: its term for few degrees of freedom would swamp it here.
        "missing_variance": float(told.increase[0] / (1 + told.increase[0])),
        "monte_carlo": float(told.monte_carlo[0]),
    }


def _check(
    sets: Sequence[pd.DataFrame],
    estimators: Sequence[str],
    resampling: Mapping[str, Any] | None,
    response: ResponseWeights | None,
    design: Sampling | None,
) -> None:
    if strays := [name for name in estimators if name not in ESTIMATORS]:
        raise ValueError(f"estimators: {', '.join(strays)} not known; choose from {', '.join(ESTIMATORS)}")
    if any("event" not in people for people in sets):
        raise ValueError("participants: there is no column 'event'")
    if response is not None and (resampling is not None or isinstance(design, Replicated)):
        raise ValueError("replicates: weighted complete cases are linearised only; declare `method: linearised`")


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
