"""How a survey's people were sampled: from its declaration and the columns that harmonised people have, to a design."""

from __future__ import annotations

import numpy as np
import pandas as pd

from backpain.design import Design, Drawn, Replicated, Sampling, given
from backpain.spec import Survey

# What the columns of the agency hold, turned into weights: times this, and times the full-sample weight.
HOLD = {"weights": (1.0, False), "multipliers": (1.0, True), "half-samples": (2.0, True)}


def places(survey: Survey) -> list[str]:
    """The columns of harmonised people that say where in the sample each of them stands."""
    named = dict.fromkeys(["stratum", "psu", *survey.design.stage_columns])
    return [*named, *(["person"] if any(stage.cluster is None for stage in survey.design.stages) else [])]


def replicate_columns(survey: Survey, component: str) -> list[str]:
    """The columns of harmonised people with the replicate weights of one component; none if the survey gives none."""
    design = survey.design.replicates
    return (
        [f"replicate_{component}_{place}" for place in range(1, design.count + 1)]
        if design is not None and component in design.columns
        else []
    )


def placed(rows: pd.DataFrame, person: pd.Series, survey: Survey) -> pd.DataFrame:
    """Where each row of the base file stands in the sample, and its weights, by the names that harmonised people have.

    Without declared strata everyone is in one, without declared PSUs everyone is one. Replicates become weights, whatever
    their columns hold.
    """
    design = survey.design
    made = {"stratum": pd.Series(1.0, index=rows.index), "psu": person}
    made |= {new: rows[old] for new, old in {**design.stage_columns, **design.weight_columns}.items()}
    if design.replicates is not None:
        times, of_weight = HOLD[design.replicates.hold]
        for component in design.replicates.columns:
            weight = made[f"weight_{component}"] if of_weight else 1.0
            made |= {name: made[name] * times * weight for name in replicate_columns(survey, component)}
    return pd.DataFrame(made)


def held(people: pd.DataFrame, survey: Survey) -> dict[str, pd.Series]:
    """The agency's design columns of harmonised people: the inverse of `placed`."""
    design = survey.design
    made = {old: people[new] for new, old in {**design.stage_columns, **design.weight_columns}.items()}
    if design.replicates is not None:
        times, of_weight = HOLD[design.replicates.hold]
        for component in design.replicates.columns:
            weight = people[f"weight_{component}"].where(lambda full: full > 0, np.nan) if of_weight else 1.0
            for new, old in zip(replicate_columns(survey, component), design.replicates.named(component), strict=True):
                made[old] = (people[new] / times / weight).fillna(0.0) if of_weight else people[new]
    return made


def weighed(people: pd.DataFrame, survey: Survey, component: str, share: float | pd.Series = 1.0) -> pd.DataFrame:
    """`weight` of one component, and its replicates as `replicate_1` and so on, each times the share; rows as in `people`."""
    names = {f"weight_{component}": "weight"}
    names |= {name: f"replicate_{place}" for place, name in enumerate(replicate_columns(survey, component), 1)}
    return people[list(names)].mul(share, axis=0).rename(columns=names)


def linear(
    people: pd.DataFrame, survey: Survey, skeleton: pd.DataFrame | None = None, weight: str = "weight"
) -> Design:
    """The design by strata, PSUs and further stages, as the survey declares them.

    Parameters
    ----------
    people
        Rows with the columns of `places` and the weight.
    skeleton
        As in `Design.of`.

    Raises
    ------
    ValueError
        As `Design.of` does, naming the survey.
    """
    declared = survey.design
    further = [
        Drawn(
            "person" if stage.cluster is None else f"unit_{place}",
            None if stage.stratum is None else f"stratum_{place}",
            None if stage.population is None else f"population_{place}",
        )
        for place, stage in enumerate(declared.stages, 2)
    ]
    try:
        return Design.of(
            people,
            skeleton,
            weight=weight,
            lonely=declared.lonely,
            nested=declared.nested,
            population=None if declared.population is None else "population",
            further=further,
        )
    except ValueError as error:
        raise ValueError(f"{survey.name}: {error}") from error


def by_replicates(people: pd.DataFrame, survey: Survey) -> Replicated:
    """The design by the replicate weights that the survey gives, of people as `weighed` returns them.

    Raises
    ------
    ValueError
        If the survey gives none, and as `design.given` does, naming the survey.
    """
    declared = survey.design.replicates
    columns = [f"replicate_{place}" for place in range(1, (declared.count if declared else 0) + 1)]
    if declared is None or not set(columns) <= set(people):
        raise ValueError(f"{survey.name}: gives no replicate weights for these variables; declare another variance")
    try:
        return given(people, columns, declared.scale, centre=declared.centre, df=declared.df)
    except ValueError as error:
        raise ValueError(f"{survey.name}: {error}") from error


def only_replicates(survey: Survey) -> bool:
    """Whether replicate weights are all that the survey tells of its design."""
    design = survey.design
    return design.replicates is not None and design.strata is None and design.cluster is None


def sampled(people: pd.DataFrame, survey: Survey, skeleton: pd.DataFrame | None = None) -> Sampling:
    """The design of descriptions: strata and PSUs where the survey tells them, otherwise its replicate weights."""
    if only_replicates(survey):
        return by_replicates(people, survey)
    return linear(people, survey, skeleton)


__all__ = ["by_replicates", "held", "linear", "only_replicates", "placed", "places", "sampled", "weighed"]
