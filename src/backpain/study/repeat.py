"""Repetitions of a scenario: a sample is drawn, and every estimator is tried on it as it is on a trial."""

from __future__ import annotations

import numpy as np
import pandas as pd

from backpain.design import Design, Sampling, replicated
from backpain.estimate import estimate
from backpain.nuisance import fit_nuisance
from backpain.spec import Study
from backpain.study.truth import SCALES
from backpain.study.world import TERMS, draw

REPETITIONS = [
    "scenario", "repetition", "estimator", "variance", "scale", "estimate", "se", "low", "high", "p", "reason",
]  # fmt: skip
LINEARISED, REFITTED = "linearised", "refitted"


def repetitions(study: Study, scenario: str, part: int, variance: str = LINEARISED) -> pd.DataFrame:
    """One job's share of a scenario's repetitions.

    Parameters
    ----------
    part
        Which job: 1 to `study.jobs`. Each repetition has a seed of its own, so that it is the same whichever job makes it.
    variance
        `linearised`, by every estimator of the study; or `refitted`, by those for which it declares so.

    Returns
    -------
    DataFrame
        Columns `REPETITIONS`; a row without numbers has a reason. `se` of ratios is on the log scale.
    """
    declared, place = study.scenario(scenario), list(study.scenarios).index(scenario)
    found = []
    for number in range((part - 1) * study.chunk, part * study.chunk):
        people = draw(declared, (study.seed, 1, place, number))
        nuisance = fit_nuisance(people, TERMS)
        design: Sampling = Design.of(people)
        estimators = study.estimators
        if variance == REFITTED and study.refitted is not None:
            seed = int(np.random.SeedSequence((study.seed, 2, place, number)).generate_state(1)[0])
            design = replicated(Design.of(people), kind="bootstrap", replicates=study.refitted.replicates, seed=seed)
            estimators = study.refitted.estimators
        rows = estimate(people, TERMS, estimators=estimators, nuisance=nuisance, design=design)
        found.append(rows[rows["scale"].isin(SCALES)].assign(scenario=scenario, repetition=number, variance=variance))
    table = pd.concat(found, ignore_index=True)
    return table.assign(reason=table["reason"].fillna("").astype(str), p=table["p"].astype(float))[REPETITIONS].replace(
        {np.inf: np.nan}
    )
