"""Carries a trial through all interviews: each at which somebody is eligible begins one, and all are analysed together."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd

from backpain.cohort import skeleton, waves_of
from backpain.harmonise import judge
from backpain.sampling import places, weighed
from backpain.sequence import Emulated, SequentialTrials, emulate_sequence
from backpain.spec import Protocol, Sequence, Strategy, Survey, plan_of
from backpain.trials.estimating import design_of
from backpain.trials.missing import Handled

HEAD = ["survey", "analysis", "strategy"]
CONTRASTS = [*HEAD, "time", "arm", "scale", "estimate", "se", "low", "high", "p", "design_df", "converged", "reason"]
CURVES = [*HEAD, "arm", "time", "risk", "se", "low", "high", "band_low", "band_high"]
COUNTS = [*HEAD, "arm", "people", "trials", "rows", "events", "smallest_weight", "largest_weight", "mean_weight"]
HAZARD = "hazard-odds-ratio"


def sequence_trial(
    people: pd.DataFrame, protocol: Protocol, survey: Survey
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Contrasts by the end of each period, curves, and counts of every strategy that the trial declares.

    Parameters
    ----------
    people
        What `harmonise` returned.

    Returns
    -------
    contrasts, curves, counts : DataFrame
        Columns `CONTRASTS`, `CURVES` and `COUNTS`. A strategy that cannot be estimated has one row of contrasts, with the
        reason, and none in the others.

    Raises
    ------
    ValueError
        If the trial declares no sequence, or nobody is eligible at any interview.
    """
    declared = protocol.sequence
    if declared is None:
        raise ValueError(f"protocols/{protocol.name}.yaml: declares no sequence of trials")
    plan = plan_of(protocol, "main")
    periods = person_periods(people, protocol, survey)
    sample = _sample(people, periods, protocol, survey)
    design = design_of(Handled(sample, [sample]), skeleton(people, survey), plan, survey)
    terms = dict(zip(plan.assignment.names, plan.assignment.terms, strict=True))
    contrasts, curves, counts = [], [], []
    for name, strategy in declared.strategies.items():
        head = {"survey": survey.name, "analysis": protocol.name, "strategy": name}
        try:
            found = emulate_sequence(periods, _as_room(declared, strategy, terms), design, sample["person"])
        except ValueError as error:
            contrasts.append(
                pd.DataFrame([{**head, "scale": "risk-difference", "converged": False, "reason": str(error)}])
            )
            continue
        contrasts.append(_contrasts(found).assign(**head, converged=True, reason=""))
        curves.append(found.curves().assign(**head))
        counts.append(_counts(found).assign(**head))
    return _table(contrasts, CONTRASTS), _table(curves, CURVES), _table(counts, COUNTS)


def person_periods(people: pd.DataFrame, protocol: Protocol, survey: Survey) -> pd.DataFrame:
    """One row for each person and period from the first interview at which they are eligible to their outcome or loss.

    A period begins with an interview, at which covariates and treatment are known, and ends with the next one, which tells
    of the outcome; who is not found there, or does not say, is lost in the period before its outcome.

    Returns
    -------
    DataFrame
        id, period, treated, event, eligible, lost, and the confounders.
    """
    declared, plan = protocol.sequence, plan_of(protocol, "main")
    assert declared is not None
    baseline, later = waves_of(people, survey)
    waves = [baseline, *(later[order] for order in sorted(later))]
    names = plan.assignment.names
    on = [*plan.treatment.treated, *declared.ongoing]
    known = baseline[names].iloc[:0]
    entered, going = pd.Index([]), baseline.index
    parts = []
    for period, (now, then) in enumerate(pairwise(waves)):
        now = now.loc[now.index.intersection(going)]
        # ASSUME: a confounder that is not known at one interview is as it was at the one before.
        known = now[names].combine_first(known.reindex(now.index))[names].astype(dict(now[names].dtypes))
        eligible = _eligible(now, plan, survey) & known.notna().all(axis=1)
        # ASSUME: who does not say what they take is taking nothing.
        treated = now[plan.treatment.variable].isin(on)
        inside = eligible | now.index.isin(entered)
        seen = then if plan.follow_up.seen_by is None else then[then["seen_by"].isin(plan.follow_up.seen_by)]
        event = judge(seen[plan.outcome.variable].reindex(now.index), plan.outcome.event)
        lost = event.isna()
        had = event.fillna(False).astype(bool)
        rows = pd.DataFrame(
            {"id": now.index, "period": period, "treated": treated, "event": had, "eligible": eligible, "lost": lost},
            index=now.index,
        )
        parts.append(rows.join(known)[inside])
        entered = now.index[inside]
        going = now.index[~(inside & (had | lost))]
    made = pd.concat(parts, ignore_index=True)
    if not made["eligible"].any():
        raise ValueError(f"{protocol.name} in {survey.name}: nobody is eligible at any interview, so no trial begins")
    return made.astype(dict.fromkeys(("treated", "event", "eligible", "lost"), int))


def _eligible(now: pd.DataFrame, plan: Any, survey: Survey) -> pd.Series:
    met = now[plan.treatment.variable].isin([*plan.treatment.treated, *plan.treatment.untreated])
    for tests in plan.eligibility.values():
        for name, test in tests.items():
            met &= judge(now[name], test).fillna(False).astype(bool)
    for column in [str(column) for column in now if str(column).startswith("link_")]:
        met &= ~now[column].isin(["ambiguous", "unmatched"])
    component = survey.rarest_weight(plan.variables() - {"panel"})
    return met & (now[f"weight_{component}"] > 0)


def _sample(people: pd.DataFrame, periods: pd.DataFrame, protocol: Protocol, survey: Survey) -> pd.DataFrame:
    """Everyone with a row, once, with their place in the sample and the weight of the first wave."""
    plan = plan_of(protocol, "main")
    baseline, _ = waves_of(people, survey)
    chosen = baseline.loc[pd.unique(periods["id"])]
    component = survey.rarest_weight(plan.variables() - {"panel"})
    columns = [name for name in places(survey) if name != "person"]
    return pd.concat([chosen[columns], weighed(chosen, survey, component, chosen["scale"])], axis=1).reset_index()


def _as_room(declared: Sequence, strategy: Strategy, terms: dict[str, Any]) -> SequentialTrials:
    return SequentialTrials(
        lost="lost",
        loss="first",
        strategy=strategy.strategy,
        grace=strategy.grace,
        fixed=tuple(term for name, term in terms.items() if name in declared.fixed),
        varying=tuple(term for name, term in terms.items() if name not in declared.fixed),
        truncate=declared.truncate,
        follow_up=declared.follow_up,
        trial=declared.trial,
        calendar=declared.calendar,
        by_time=declared.by_time,
    )


def _contrasts(found: Emulated) -> pd.DataFrame:
    times = list(range(1, found.longest + 1))
    table = found.contrasts(times)
    ratio = found.table().set_index("name").loc["odds ratio"]
    hazard = {
        "time": found.longest,
        "arm": "treated vs untreated",
        "scale": HAZARD,
        "estimate": float(np.exp(ratio["estimate"])),
        "se": ratio["se"],
        "low": float(np.exp(ratio["low"])),
        "high": float(np.exp(ratio["high"])),
        "p": ratio["p"],
        "df": found.df,
    }
    return pd.concat([table, pd.DataFrame([hazard])], ignore_index=True).rename(columns={"df": "design_df"})


def _counts(found: Emulated) -> pd.DataFrame:
    spread = {"smallest_weight": "0%", "largest_weight": "100%", "mean_weight": "mean"}
    return found.counts.assign(**{name: float(found.weights[key]) for name, key in spread.items()})


def _table(parts: list[pd.DataFrame], columns: list[str]) -> pd.DataFrame:
    return pd.concat(parts, ignore_index=True).reindex(columns=columns) if parts else pd.DataFrame(columns=columns)


__all__ = ["CONTRASTS", "COUNTS", "CURVES", "person_periods", "sequence_trial"]
