"""What would have to be true for the declared analysis to say something else."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from backpain.cohort import skeleton_of
from backpain.nuisance import fit_nuisance
from backpain.sampling import linear
from backpain.sensitivity import (
    BIAS,
    E_VALUES,
    FRONTIER,
    GRID,
    INFLUENCE,
    Bias,
    Followed,
    MisclassifiedOutcome,
    MisclassifiedTreatment,
    Prior,
    PriorsContradictedError,
    SamplingError,
    Selection,
    UnmeasuredConfounder,
    bias_analysis,
    e_values,
    extremes,
    frontier,
    leave_one_panel_out,
    table_of,
    tipping_grid,
)
from backpain.spec import Bias as Declared
from backpain.spec import Plan, Protocol, Survey, variations
from backpain.trials.missing import handle

HEAD = ["survey", "analysis"]
CONTRAST = ["estimator", "scale", "estimate", "low", "high"]
TABLES = {
    "e_values": [*HEAD, *CONTRAST, *E_VALUES],
    "bias": [*HEAD, "bias_analysis", "biases", *BIAS, "reason"],
    "tipping": [*HEAD, "supposed", *GRID],
    "frontier": [*HEAD, *FRONTIER],
    "influence": [*HEAD, "estimator", "scale", *INFLUENCE],
}
KINDS: dict[str, type[Any]] = {
    "misclassified-treatment": MisclassifiedTreatment,
    "misclassified-outcome": MisclassifiedOutcome,
    "selection": Selection,
    "unmeasured-confounder": UnmeasuredConfounder,
}
# Risks supposed of the lost, in the figure's grid and along its lines.
STEPS = 41


def doubts(
    participants: pd.DataFrame, skeleton: pd.DataFrame, estimates: pd.DataFrame, protocol: Protocol, survey: Survey
) -> dict[str, pd.DataFrame]:
    """E-values, bias analyses, tipping points and panels left out, of the declared analysis.

    Parameters
    ----------
    participants, skeleton
        What `emulate` returned.
    estimates
        Of the trial.

    Returns
    -------
    The tables of `TABLES`; without rows where a trial declares no bias, loses nobody, or leaves out no panel.

    Raises
    ------
    ValueError
        As the functions of `backpain.sensitivity` do, such as for beliefs that contradict the data.
    """
    plan = next(plan for name, plan in variations(protocol, survey) if name == "main")
    main = estimates[estimates["variation"] == "main"]
    people = handle(participants[participants["variation"] == "main"].reset_index(drop=True), plan).sets[0]
    tipped, edges = _tipping(people, skeleton_of(skeleton, plan, survey), plan, protocol, survey)
    found = {
        "e_values": _e_values(main),
        "bias": _biases(people, main, protocol),
        "tipping": tipped,
        "frontier": edges,
        "influence": _influence(estimates, participants),
    }
    head = {"survey": survey.name, "analysis": protocol.name}
    return {name: frame.assign(**head).reindex(columns=TABLES[name]) for name, frame in found.items()}


def _e_values(main: pd.DataFrame) -> pd.DataFrame:
    # About everyone alone: a difference in another population is not that of its risks weighted together.
    kept = main[(main["population"] == "everyone") & (main["estimator"] != "unadjusted") & main["se"].notna()]
    found = [e_values(rows) for _, rows in kept.groupby("estimator", sort=False) if {"risk"} < set(rows["scale"])]
    return pd.concat(found, ignore_index=True) if found else pd.DataFrame(columns=TABLES["e_values"])


def _biases(people: pd.DataFrame, main: pd.DataFrame, protocol: Protocol) -> pd.DataFrame:
    declared = protocol.sensitivity
    if declared is None:
        return pd.DataFrame(columns=TABLES["bias"])
    seen = people[people["followed"].astype(bool)]
    table = table_of(seen["treated"].astype(float), seen["event"].astype(float), seen["weight"])
    rows = main[main["estimator"] == protocol.primary_estimator].set_index("scale")
    sampling = {
        str(scale): SamplingError(float(row["estimate"]), float(row["se"]), float(row["design_df"]))
        for scale, row in rows.iterrows()
        if scale in ("risk-difference", "risk-ratio") and np.isfinite(row["se"])
    }
    parts = []
    for name, biases in declared.analyses.items():
        undone = [_bias(declared.biases[bias]) for bias in biases]
        try:
            found = bias_analysis(table, undone, sampling, declared.seed, declared.draws).assign(reason="")
        except PriorsContradictedError as error:
            # What is believed of the biases is declared before the table is seen, and a small table may deny it.
            found = pd.DataFrame(
                {"scale": list(sampling), "error": "total", "draws": declared.draws, "reason": str(error)}
            )
        parts.append(found.assign(bias_analysis=name, biases="; ".join(biases)))
    return pd.concat(parts, ignore_index=True)


def _bias(declared: Declared) -> Bias:
    """The bias as `backpain.sensitivity` takes it."""
    beliefs = {name: Prior(*belief.form) for name, belief in declared.beliefs.items()}
    correlation = {} if declared.correlation is None else {"correlation": declared.correlation}
    made: Bias = KINDS[declared.kind](**beliefs, **correlation)
    return made


def _tipping(
    people: pd.DataFrame, places: pd.DataFrame, plan: Plan, protocol: Protocol, survey: Survey
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The declared comparison under suppositions about the lost: the grid with the extremes, and where it changes."""
    empty = pd.DataFrame(columns=["supposed", *GRID]), pd.DataFrame(columns=FRONTIER)
    lost = ~people["followed"].to_numpy(dtype=bool)
    nuisance = fit_nuisance(people, plan.assignment.terms, lost="complete")
    if not lost.any() or not nuisance.converged:
        return empty
    # ASSUME: the arms are made comparable by the same weights whatever is supposed, and the weights are taken as known.
    design = linear(people, survey, places).times(nuisance.treatment_weight)
    event = people["event"].astype("Float64").to_numpy(dtype=float, na_value=np.nan)
    held = Followed.of(people["treated"].astype(float), event, design)
    # Up to six times the larger risk: who supposes more of the lost supposes another disease.
    most = min(1.0, 6 * max(held.risk))
    risks = np.linspace(0, most, STEPS)
    effect = -protocol.smallest_effect
    told = [
        extremes(held, smallest_effect=effect),
        tipping_grid(held, list(risks), list(risks), smallest_effect=effect).assign(supposed=""),
    ]
    return pd.concat(told, ignore_index=True), frontier(held, list(risks), smallest_effect=effect, within=(0.0, most))


def _influence(estimates: pd.DataFrame, participants: pd.DataFrame) -> pd.DataFrame:
    if not estimates["variation"].str.startswith("without-panel-").any():
        return pd.DataFrame(columns=TABLES["influence"])
    main = participants[participants["variation"] == "main"]
    weight = main.groupby(main["panel"].astype(int).astype(str))["weight"].sum().to_dict()
    # `without-panel-20-...` is a variation with a name of its own; panels left out by the series end in their number.
    series = estimates["variation"].str.fullmatch(r"main|without-panel-\d+")
    kept = estimates[series & estimates["scale"].isin(["risk-difference", "risk-ratio"])]
    left = kept.groupby("estimator")["variation"].transform(lambda names: names.nunique() > 1)
    return leave_one_panel_out(kept[left], weight)
