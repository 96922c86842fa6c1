"""Multiple imputation of the people of one analysis."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from backpain.impute.board import lay_out
from backpain.impute.chain import Chain, Target
from backpain.impute.plan import ImputationPlan
from backpain.impute.result import NOTES, TRACE, VALUES, Imputations
from backpain.impute.variables import Codes, Numbers, Variable, read_variable

# Random intercepts of fewer groups would have a variance of which nothing is known.
FEWEST_GROUPS = 5


def impute(
    frame: pd.DataFrame,
    plan: ImputationPlan,
    numbers: Sequence[int] | None = None,
    stratum: str | None = "stratum",
    cluster: str | None = "psu",
    weight: str | None = "weight",
) -> Imputations:
    """Impute by chained equations under the sampling design.

    Every variable's model holds all others, the survey weight, the design and panel effects declared, and the
    product of treatment and outcome. An outcome that is missing and not declared is drawn along, so that the others
    may depend on it, and then left missing (von Hippel 2007, Sociol Methodol 37:83). A frame without gaps gives m
    copies of itself.

    Parameters
    ----------
    frame
        One row per person, the columns of the plan and of the design.
    plan
        What is declared.
    numbers
        Which of the imputations 1 to m to make; None makes all. Each depends on the seed and its own number alone,
        so jobs that make them one by one give the same bytes as one that makes them all (on one machine: another
        linear-algebra library may round otherwise).
    stratum, cluster, weight
        Columns of the design; None where the sample had none.

    Raises
    ------
    ValueError
        As `ImputationPlan` and `read_variable` do; if a column of the design is absent or has gaps, a weight is not
        positive, there are too few strata or PSUs for random intercepts, or a model cannot be fitted.
    """
    chosen = list(range(1, plan.m + 1)) if numbers is None else [int(number) for number in numbers]
    if not chosen or len(set(chosen)) < len(chosen) or min(chosen) < 1 or max(chosen) > plan.m:
        raise ValueError(f"impute: numbers {chosen} must be some of 1 to m = {plan.m}, each once")
    weights = _weights(frame, weight, plan)
    group = _groups(frame, stratum, cluster, plan)
    variables = {name: read_variable(frame, name, plan) for name in plan.named}
    whole = np.arange(len(frame))
    panels = [("", whole)] if plan.panels == "effects" else _panels(frame, str(plan.panel))
    recorder = _Recorder(plan, variables)
    for place, (panel, rows) in enumerate(panels):
        part = variables if len(rows) == len(frame) else _within(variables, rows, panel)
        board = lay_out(part, plan, None if weights is None else weights[rows])
        own = None if group is None else np.unique(group[rows], return_inverse=True)[1]
        for number in chosen:
            # Spawned as SeedSequence(seed).spawn(...) would: a stream for each imputation and panel.
            rng = np.random.default_rng(np.random.SeedSequence(plan.seed, spawn_key=(number, place)))
            chain = Chain(board, _targets(part, own, panel), plan, rng)
            chain.run(partial(recorder.trace, (number, panel)))
            recorder.keep((number, panel), chain, rows)
    return recorder.imputations(len(frame), sorted(chosen))


def _weights(frame: pd.DataFrame, column: str | None, plan: ImputationPlan) -> Numbers | None:
    if column is None:
        return None
    if column not in frame:
        raise ValueError(f"impute: there is no weight column {column!r}; name the survey's weight")
    weight = frame[column].to_numpy(dtype=float, na_value=np.nan)
    stray = ~(np.isfinite(weight) & (weight > 0))
    if stray.any():
        raise ValueError(
            f"impute: {column} is missing, infinite or not above zero for {int(stray.sum())} people; leave them out, "
            "in a box of the flow"
        )
    return weight


def _groups(frame: pd.DataFrame, stratum: str | None, cluster: str | None, plan: ImputationPlan) -> Codes | None:
    """(people,) the group of each person's random intercept."""
    if plan.design_effects == "none":
        return None
    asked = {"stratum": [stratum], "psu": [stratum, cluster]}[plan.design_effects]
    columns = [column for column in asked if column is not None]
    if (cluster if plan.design_effects == "psu" else stratum) is None:
        raise ValueError(
            f"impute: design_effects are by {plan.design_effects}, but the design has none; declare `none`"
        )
    for column in columns:
        if column not in frame:
            raise ValueError(f"impute: there is no column {column!r}; name the design's columns, or None")
        if frame[column].isna().any():
            raise ValueError(f"impute: {column} is missing for {int(frame[column].isna().sum())} people")
    return np.asarray(frame.groupby(columns, sort=True, observed=True).ngroup(), dtype=np.intp)


def _panels(frame: pd.DataFrame, column: str) -> list[tuple[str, Codes]]:
    if column not in frame:
        raise ValueError(f"impute: there is no panel column {column!r}")
    if frame[column].isna().any():
        raise ValueError(f"impute: {column} is missing for {int(frame[column].isna().sum())} people; it is the panel")
    parts = frame.reset_index(drop=True).groupby(column, sort=True, observed=True).indices
    return [(str(panel), np.asarray(rows, dtype=np.intp)) for panel, rows in parts.items()]


def _within(variables: dict[str, Variable], rows: Codes, panel: str) -> dict[str, Variable]:
    """The variables of one panel's people."""
    part = {name: variable.of(rows) for name, variable in variables.items()}
    for name, variable in part.items():
        if not len(variable.levels):
            raise ValueError(
                f"impute: {name} is missing for everyone of panel {panel}, so nothing there tells it; declare the "
                "panels' `effects`, or take it out"
            )
    return part


def _targets(variables: dict[str, Variable], group: Codes | None, panel: str) -> list[Target]:
    """What a chain draws, from the fewest gaps to the most."""
    groups = 0 if group is None else int(group.max()) + 1
    gaps = [variable for variable in variables.values() if len(variable.missing)]
    if gaps and group is not None and groups < FEWEST_GROUPS:
        raise ValueError(
            f"impute: random intercepts of {groups} strata or PSUs{f' in panel {panel}' if panel else ''}: there must "
            f"be {FEWEST_GROUPS} at least; declare design_effects `none`"
        )
    codes = np.zeros(len(next(iter(variables.values())).code), dtype=np.intp) if group is None else group
    targets = []
    for variable in sorted(gaps, key=lambda each: len(each.missing)):
        seen = np.flatnonzero(variable.code >= 0)
        seen = seen[np.argsort(codes[seen], kind="stable")]
        targets.append(Target(variable, seen, variable.missing, codes, groups))
    return targets


class _Recorder:
    """Collects what the chains make into frames."""

    def __init__(self, plan: ImputationPlan, variables: dict[str, Variable]) -> None:
        self.plan, self.variables = plan, variables
        self.values: list[pd.DataFrame] = []
        self.traces: list[tuple[Any, ...]] = []
        self.notes: list[tuple[Any, ...]] = []

    def trace(self, at: tuple[int, str], iteration: int, target: Target) -> None:
        variable, drawn = target.variable, target.content
        if variable.categorical:
            shares = np.bincount(drawn.astype(np.intp), minlength=len(variable.levels)) / len(drawn)
            for level, share in zip(variable.levels, shares, strict=True):
                spread = float(np.sqrt(share * (1 - share)))
                self.traces.append((*at, iteration, variable.name, str(level), float(share), spread))
            return
        number = drawn if variable.method == "normal" else variable.levels[drawn.astype(np.intp)]
        self.traces.append((*at, iteration, variable.name, "", float(number.mean()), float(number.std())))

    def keep(self, at: tuple[int, str], chain: Chain, rows: Codes) -> None:
        number, panel = at
        for target in chain.targets:
            name, drawn = target.variable.name, target.content
            if name not in self.plan.impute:
                continue
            if target.variable.categorical:
                # A panel's own levels, as positions among everyone's.
                drawn = pd.Index(self.variables[name].levels).get_indexer(target.variable.levels)[drawn]
            elif target.variable.method == "predictive-mean-matching":
                drawn = target.variable.levels[drawn]
            self.values.append(
                pd.DataFrame(
                    {"imputation": number, "row": rows[target.blank], "variable": name, "value": drawn.astype(float)}
                )
            )
        for (name, what, column), iterations in chain.notes.items():
            self.notes.append((number, panel, name, what, column, len(iterations)))

    def imputations(self, people: int, numbers: list[int]) -> Imputations:
        empty = pd.DataFrame({"imputation": [], "row": [], "variable": [], "value": []})
        values = pd.concat(self.values, ignore_index=True) if self.values else empty
        kinds = pd.CategoricalDtype(list(self.plan.impute))
        values = values.astype({"imputation": "int32", "row": "int64", "variable": kinds, "value": "float64"})[VALUES]
        values = values.sort_values(["imputation", "variable", "row"], kind="stable", ignore_index=True)
        return Imputations(
            values=values,
            trace=_frame(self.traces, TRACE),
            notes=_frame(self.notes, NOTES),
            categories=tuple(name for name in self.plan.impute if self.variables[name].categorical),
            people=people,
            numbers=tuple(numbers),
        )


def _frame(rows: list[tuple[Any, ...]], columns: list[str]) -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=columns)
    return frame.sort_values("imputation", kind="stable", ignore_index=True)
