"""Where made-up people stand in the sample, in every column that their survey declares."""

from __future__ import annotations

import numpy as np
import pandas as pd

from backpain.design import Design, replicated
from backpain.sampling import replicate_columns
from backpain.spec import Survey

# Of a stage after the first: units drawn within each unit of the stage before.
DRAWN = 4
# How many times as many as were drawn there were to draw from.
OUT_OF = 10


def drawn(people: pd.DataFrame, survey: Survey, rng: np.random.Generator) -> pd.DataFrame:
    """The people with further stages, populations and replicate weights, where the survey declares them.

    ASSUME: the units of further stages have no effect of their own, and of all units a tenth was drawn. Replicate weights
    are those of a bootstrap over strata and PSUs, spread so that the declared scale gives its variance.

    Parameters
    ----------
    people
        One row for each person with stratum, psu (numbered in each stratum), person and weight_<component>.
    """
    design = survey.design
    made: dict[str, pd.Series | float] = {}
    if not design.nested:
        made["psu"] = people["psu"] + (people["psu"].max() + 1) * people["stratum"]
    if design.strata is None:
        made["stratum"] = 1.0
    if design.cluster is None:
        made["psu"] = people["person"]
    psus = people.groupby("stratum")["psu"].transform("nunique")
    within = [people["stratum"], people["psu"]]
    if design.population is not None:
        made["population"] = psus * float(OUT_OF)
    for place, stage in enumerate(design.stages, 2):
        if stage.stratum is not None:
            made[f"stratum_{place}"] = pd.Series(rng.integers(2, size=len(people)) + 1.0, index=people.index)
            within = [*within, made[f"stratum_{place}"]]
        unit = pd.Series(rng.integers(DRAWN, size=len(people)) + 1.0, index=people.index)
        if stage.cluster is not None:
            made[f"unit_{place}"] = unit
        if stage.population is not None:
            counted = people["person"] if stage.cluster is None else unit
            made[f"population_{place}"] = counted.groupby(within).transform("nunique") * float(OUT_OF)
        within = [*within, unit]
    if design.jointly is not None:
        made |= {f"joint_{name}": people[f"weight_{name}"] / (1 + len(design.jointly.with_)) for name in design.weights}
    return pd.concat([people.assign(**made), _replicates(people, survey, rng)], axis=1)


def alike(later: pd.DataFrame, first: pd.DataFrame) -> pd.DataFrame:
    """People in a later wave, row by row those of the first, at the same places in the sample."""
    more = [name for name in first if name not in later]
    return pd.concat([later.assign(stratum=first["stratum"], psu=first["psu"]), first[more]], axis=1)


def _replicates(people: pd.DataFrame, survey: Survey, rng: np.random.Generator) -> pd.DataFrame:
    declared = survey.design.replicates
    if declared is None:
        return pd.DataFrame(index=people.index)
    scale = np.broadcast_to(np.asarray(declared.scale, dtype=float), declared.count)
    first = next(iter(declared.columns))
    seed = int(rng.integers(2**31))
    made = replicated(
        Design.of(people, weight=f"weight_{first}", lonely="remove"), "bootstrap", replicates=declared.count, seed=seed
    )
    # Weights never fall below zero: a larger scale than the bootstrap's draws the factors nearer to 1.
    near = np.minimum(np.sqrt(1 / (declared.count * np.where(scale > 0, scale, 1.0))), 1.0)
    factor = (1 + (made.factor - 1) * near)[made.unit]
    return pd.DataFrame(
        {
            name: people[f"weight_{component}"] * factor[:, place]
            for component in declared.columns
            for place, name in enumerate(replicate_columns(survey, component))
        },
        index=people.index,
    )


__all__ = ["alike", "drawn"]
