"""When the outcome came, by rounds of the follow-up: risks by the end of each, with bands, and one hazard ratio."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import expit, logit, stdtr

from backpain.cohort import Flow, choose, columns_of, skeleton, waves_of
from backpain.design import t_quantile
from backpain.estimate import ESTIMATORS, Found, Sample, estimate
from backpain.nuisance import Nuisance, fit_nuisance
from backpain.regression import SINGLE, fit
from backpain.sequence import simultaneous
from backpain.spec import Protocol, Survey, plan_of
from backpain.trials.estimating import design_of
from backpain.trials.missing import Handled, handle

Numbers = NDArray[np.float64]

ROUNDS = [
    "survey", "analysis", "round", "time", "estimator", "arm", "scale", "estimate", "se", "low", "high", "band_low",
    "band_high", "p", "design_df", "converged", "reason",
]  # fmt: skip
HAZARD = "hazard-ratio"
SOURCE = "round"


def by_round(people: pd.DataFrame, protocol: Protocol, survey: Survey) -> pd.DataFrame:
    """The declared analysis of the outcome by the end of each round, and the hazard ratio over all rounds.

    Risks are of nested outcomes: first reported by the round's end. Models of treatment and loss are the same in all, and the
    last is the declared outcome itself. Bands hold the whole curve with 95 %, from the joint covariance over rounds (sup-t).
    The hazard ratio is of a marginal model with a complementary log-log link and a level for each round, weighted as
    `weighting` is, both models carried through: in grouped time this ratio is that of the continuous hazards (Prentice and
    Gloeckler 1978, Biometrics 34:57), however unequal the rounds are.

    Parameters
    ----------
    people
        What `harmonise` returned.

    Returns
    -------
    DataFrame
        Columns `ROUNDS`; `band_low` and `band_high` of risks and their difference alone.

    Raises
    ------
    ValueError
        As `choose` does; if the trial declares no rounds, or if rounds and outcome contradict one another.
    """
    declared = protocol.by_round
    if declared is None:
        raise ValueError(f"protocols/{protocol.name}.yaml: declares no rounds of the follow-up")
    handled, place = _chosen(people, protocol, survey)
    plan, frame = plan_of(protocol, "main"), handled.sets[0]
    terms, primary = plan.assignment.terms, protocol.primary_estimator
    design = design_of(handled, skeleton(people, survey), plan, survey)
    nuisance = fit_nuisance(frame, terms, None, plan.estimand.population, plan.follow_up.lost)
    sample = Sample(frame, design, nuisance, handled.response)
    tables, influences = [], []
    for time, name in enumerate(declared.order, 1):
        event = pd.array(place < time, dtype="boolean")
        event[~frame["followed"].to_numpy(dtype=bool)] = pd.NA
        mine = frame.assign(event=event)
        told = _with(nuisance, mine)
        rows = estimate(mine, terms, estimators=[primary], nuisance=told, design=design, response=handled.response)
        tables.append(rows.assign(round=name, time=time))
        influences.append(ESTIMATORS[primary](mine, terms, told).influence)
    found = _with_bands(pd.concat(tables, ignore_index=True), influences, sample)
    hazard = _hazard_ratio(place, len(declared.order), sample)
    head = {"survey": survey.name, "analysis": protocol.name}
    last = {"round": declared.order[-1], "time": len(declared.order), "estimator": "weighting"}
    return pd.concat([found, pd.DataFrame([hazard | last])], ignore_index=True).assign(**head)[ROUNDS]


def _chosen(people: pd.DataFrame, protocol: Protocol, survey: Survey) -> tuple[Handled, NDArray[np.intp]]:
    """The declared analysis' participants, and the place of each one's round; beyond the last for no outcome."""
    plan, declared = plan_of(protocol, "main"), protocol.by_round
    assert declared is not None
    baseline, later = waves_of(people, survey)
    flow = Flow(survey.name, protocol.name, "main")
    chosen, _ = choose(baseline, later, plan, flow, survey, columns_of(baseline, survey, set(plan.assignment.names)))
    told = later[plan.follow_up.waves][declared.variable].reindex(chosen.index)
    places = {name: number for number, name in enumerate(declared.order)}
    event = chosen["event"].fillna(False).astype(bool)
    # ASSUME: an outcome whose round is not known was there by the end of the first.
    place = told.map(places).mask(told.isna() & event, 0).fillna(len(places))
    chosen = chosen.assign(**{SOURCE: place.astype(int)})
    if strays := int((event != (chosen[SOURCE] < len(places)) & chosen["followed"]).sum()):
        raise ValueError(
            f"protocols/{protocol.name}.yaml: by_round: {declared.variable} in {survey.name} and the outcome "
            f"{plan.outcome.variable} contradict one another for {strays} participants: a round without an outcome, or an outcome "
            "without a round; mend the mapping in the survey's declaration, or `order`"
        )
    handled = handle(chosen.reset_index(), plan)
    return handled, handled.sets[0][SOURCE].to_numpy(dtype=np.intp)


def _with(nuisance: Nuisance, people: pd.DataFrame) -> Nuisance:
    """The same models of treatment and loss, for another outcome of the same people."""
    event = people["event"].to_numpy(dtype=float, na_value=0.0)
    return replace(nuisance, trial=replace(nuisance.trial, event=event), kept={})


def _covariance(sample: Sample, influence: Numbers) -> Numbers:
    return sample.covariance("weighting", Found(np.empty(0), influence), None)[0]


def _with_bands(rows: pd.DataFrame, influences: list[Numbers], sample: Sample) -> pd.DataFrame:
    """The rows with the ends of the bands that hold all rounds' risks of an arm, or differences, at once."""
    treated, untreated = (np.column_stack([one[:, arm] for one in influences]) for arm in (0, 1))
    df = sample.design.degrees_of_freedom_in()
    low, high = pd.Series(np.nan, rows.index), pd.Series(np.nan, rows.index)
    for arm, scale, influence in (
        ("treated", "risk", treated),
        ("untreated", "risk", untreated),
        (None, "risk-difference", treated - untreated),
    ):
        mine = (rows["scale"] == scale) & (True if arm is None else rows["arm"] == arm)
        covariance = _covariance(sample, influence)
        if not (mine & rows["se"].gt(0)).any() or not np.isfinite(covariance).all():
            continue
        reach = simultaneous(covariance, df) * rows.loc[mine, "se"]
        value = rows.loc[mine, "estimate"]
        if scale == "risk":
            reach = reach / (value * (1 - value))
            low[mine], high[mine] = expit(logit(value) - reach), expit(logit(value) + reach)
        else:
            low[mine], high[mine] = value - reach, value + reach
    return rows.assign(band_low=low, band_high=high)


def _hazard_ratio(place: NDArray[np.intp], rounds: int, sample: Sample) -> dict[str, Any]:
    """One row: the ratio of the arms' hazards, supposed the same in all rounds."""
    nuisance = sample.nuisance
    row: dict[str, Any] = {"arm": "treated vs untreated", "scale": HAZARD, "converged": False}
    if not nuisance.converged:
        return row | {"reason": nuisance.reason}
    trial = nuisance.trial
    person, time = np.nonzero((place[:, None] >= np.arange(rounds)) & trial.followed[:, None])
    event = (place[person] == time).astype(float)
    levels = np.flatnonzero(np.bincount(time, event, rounds))
    if len(levels) < rounds:
        # Nobody's outcome came in the others: they say nothing of the ratio.
        kept = np.isin(time, levels)
        person, time, event = person[kept], np.searchsorted(levels, time[kept]), event[kept]
    matrix = np.column_stack([trial.treated[person].astype(float), np.eye(len(levels))[time]])
    names = ["treated", *(f"round {level + 1}" for level in levels)]
    kind = SINGLE["complementary-log-log"]
    # Observed, not expected: hazards that are not in one ratio are an answer too, and the influence is then still exact.
    model = fit(matrix, event, nuisance.analysis_weight[person], kind, names, information="observed")
    if not model.converged:
        return row | {"reason": model.reason}
    score = np.zeros((len(place), matrix.shape[1]))
    np.add.at(score, person, model.score)
    influence = (score + nuisance.drift(score, nuisance.treatment_slope)) @ model.bread
    se = float(np.sqrt(_covariance(sample, influence[:, [0]])[0, 0]))
    df, value = sample.design.degrees_of_freedom_in(), float(model.coefficients[0])
    reach = float(t_quantile(df)) * se
    return row | {
        "estimate": np.exp(value),
        "se": se,
        "low": np.exp(value - reach),
        "high": np.exp(value + reach),
        "p": 2 * float(stdtr(df, -abs(value) / se)),
        "design_df": df,
        "converged": True,
        "reason": "",
    }


__all__ = ["HAZARD", "ROUNDS", "by_round"]
