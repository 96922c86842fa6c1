"""Whether treatment does more for some than for others: the declared analysis in declared subgroups, and their overlap."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import f as f_distribution

from backpain.cohort import skeleton_of
from backpain.design import Design, t_quantile
from backpain.diagnose import effective_sample_size, overlap_share
from backpain.nuisance import fit_nuisance
from backpain.regression import Term
from backpain.sampling import linear
from backpain.spec import Plan, Protocol, Survey, Variable, variations
from backpain.trials.beside import SCALES, Part, side_by_side
from backpain.trials.missing import handle

SUBGROUPS = [
    "survey", "analysis", "variable", "level", "share", "share_treated", "lowest_propensity", "highest_propensity",
    "least_overlap", "effective_people_treated", "effective_people_untreated", "scale", "estimator", "estimate", "se",
    "low", "high", "p_alike", "design_df", "reason",
]  # fmt: skip


def subgroup_estimates(
    participants: pd.DataFrame,
    skeleton: pd.DataFrame,
    protocol: Protocol,
    survey: Survey,
    variables: dict[str, Variable],
) -> pd.DataFrame:
    """The declared analysis in each level of each declared subgroup, by the primary estimator with models of its own.

    `p_alike` is of the F-test that the effect is the same in all levels of the variable (of ratios: the logarithms), with
    the covariance of levels that share PSUs; it is repeated in the rows of the variable.

    Returns
    -------
    DataFrame
        Columns `SUBGROUPS`: a row for each level and scale. Positivity by level: the weighted share treated, the lowest
        and highest propensity, the overlap of arms, and what the arms are worth in people of equal weight.

    Raises
    ------
    ValueError
        If a subgroup's variable is missing for participants, or cut points leave a level without people.
    """
    if not protocol.subgroups:
        return pd.DataFrame(columns=SUBGROUPS)
    plan = next(plan for name, plan in variations(protocol, survey) if name == "main")
    people = handle(participants[participants["variation"] == "main"].reset_index(drop=True), plan).sets[0]
    design = linear(people, survey, skeleton_of(skeleton, plan, survey))
    found = [
        _variable(name, level_of(people, name, declared, variables), people, plan, protocol, design)
        for name, declared in protocol.subgroups.items()
    ]
    head = {"survey": survey.name, "analysis": protocol.name, "estimator": protocol.primary_estimator}
    return pd.concat(found, ignore_index=True).assign(**head)[SUBGROUPS]


def level_of(
    people: pd.DataFrame, name: str, cuts: list[float] | None, variables: dict[str, Variable]
) -> pd.Categorical:
    """Each person's level: a category, or a number between cut points ("18 to below 45")."""
    values = people[name]
    if values.isna().any():
        raise ValueError(
            f"subgroups: {name} is missing for {int(values.isna().sum())} participants; name it among the confounders"
        )
    if cuts is None:
        known = list(variables[name].categories or {})
        return pd.Categorical(values.astype(str), [level for level in known if (values == level).any()])
    edges = [-np.inf, *cuts, np.inf]
    between = [f"{low:g} to below {high:g}" for low, high in pairwise(cuts)]
    labels = [f"below {cuts[0]:g}", *between, f"{cuts[-1]:g} and over"]
    cut = pd.cut(values.astype(float), edges, right=False, labels=labels)
    empty = [str(label) for label in labels if not (cut == label).any()]
    if empty:
        raise ValueError(f"subgroups: nobody's {name} is {', '.join(empty)}; move the cut points")
    return pd.Categorical(cut.astype(str), labels)


def _variable(
    name: str, level: pd.Categorical, people: pd.DataFrame, plan: Plan, protocol: Protocol, design: Design
) -> pd.DataFrame:
    weight = people["weight"].to_numpy(dtype=float)
    parts: dict[str, Part] = {}
    told: dict[str, dict[str, Any]] = {}
    failed: dict[str, str] = {}
    for label in level.categories:
        places = np.flatnonzero(np.asarray(level == label))
        own = people.iloc[places].reset_index(drop=True)
        terms = _terms(plan, name, protocol.subgroups[name] is None, own)
        try:
            told[label] = {"share": float(weight[places].sum() / weight.sum()), **_positivity(own, terms, plan)}
            parts[label] = Part.of(own, places, terms, plan.follow_up.lost, protocol.primary_estimator)
        except ValueError as error:
            # An arm of nobody, or a model without an answer: the level is told with its reason, the others stand.
            failed[label] = str(error)
            told.setdefault(label, {"share": float(weight[places].sum() / weight.sum())})
    estimates, covariance = side_by_side(parts, design)
    df = design.degrees_of_freedom_in()
    rows = [_row(line, covariance, df, told[line["part"]]) for line in estimates.to_dict("records")]
    rows += [
        {"level": label, "scale": scale, "reason": reason, "design_df": df, **told[label]}
        for label, reason in failed.items()
        for scale in SCALES
    ]
    alike = {scale: _alike(estimates, covariance, scale, df) for scale in SCALES}
    frame = pd.DataFrame(rows).assign(variable=name)
    order = {label: place for place, label in enumerate(level.categories)}
    frame = frame.assign(p_alike=frame["scale"].map(alike), place=frame["level"].map(order))
    return frame.sort_values(["scale", "place"], kind="stable").reindex(columns=SUBGROUPS)


def _terms(plan: Plan, name: str, category: bool, people: pd.DataFrame) -> list[Term]:
    """The confounders without the subgroup's own category, and without what is the same for all of the subgroup."""
    kept = [term for term in plan.assignment.confounders if not (category and term.variable == name)]
    return [term.term for term in kept if people[term.variable].nunique() > 1]


def _positivity(people: pd.DataFrame, terms: list[Term], plan: Plan) -> dict[str, float]:
    nuisance = fit_nuisance(people, terms, lost=plan.follow_up.lost)
    if not nuisance.converged:
        raise ValueError(nuisance.reason)
    weight, treated = people["weight"].to_numpy(dtype=float), people["treated"].to_numpy(dtype=bool)
    return {
        "share_treated": float(weight[treated].sum() / weight.sum()),
        "lowest_propensity": float(nuisance.propensity.min()),
        "highest_propensity": float(nuisance.propensity.max()),
        "least_overlap": overlap_share(nuisance.propensity, treated, weight),
        "effective_people_treated": effective_sample_size(nuisance.analysis_weight[treated]),
        "effective_people_untreated": effective_sample_size(nuisance.analysis_weight[~treated]),
    }


def _row(line: dict[str, Any], covariance: pd.DataFrame, df: int, told: dict[str, Any]) -> dict[str, Any]:
    reach = float(t_quantile(df)) * line["se"]
    value = line["estimate"]
    ratio = line["scale"] == "risk-ratio"
    low, high = (value * np.exp(-reach), value * np.exp(reach)) if ratio else (value - reach, value + reach)
    kept = {name: line[name] for name in ("scale", "estimate", "se", "reason")}
    return {"level": line["part"], **kept, "low": low, "high": high, "design_df": df, **told}


def _alike(estimates: pd.DataFrame, covariance: pd.DataFrame, scale: str, df: int) -> float:
    """Wald's test that all levels have one effect: F of the contrasts to the first on (their number, df), as R's `regTermTest`."""
    rows = estimates[(estimates["scale"] == scale) & estimates["se"].notna()]
    names = rows["part"].tolist()
    if len(names) < 2:
        return np.nan
    own = covariance[covariance["scale"] == scale].pivot(index="part", columns="other", values="covariance")
    matrix = own.loc[names, names].to_numpy()
    value = rows["estimate"].to_numpy(dtype=float)
    value = np.log(value) if scale == "risk-ratio" else value
    contrast = np.hstack([-np.ones((len(names) - 1, 1)), np.eye(len(names) - 1)])
    gap = contrast @ value
    statistic = float(gap @ np.linalg.solve(contrast @ matrix @ contrast.T, gap)) / len(gap)
    return float(f_distribution.sf(statistic, len(gap), df)) if df > 0 else np.nan


__all__ = ["SUBGROUPS", "level_of", "subgroup_estimates"]
