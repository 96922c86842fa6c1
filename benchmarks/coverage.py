"""How often do the intervals of the simulated trial hold the truth? Seeded replications, without files or Snakemake.

    .venv/bin/python benchmarks/coverage.py [--replications 1000] [--processes 2] [--first-seed 1] [--without-effect]

Prints for each variation and estimator of the demo's trial: the planted risk difference, bias, empirical and mean
standard error, their ratio, coverage of the 95 % interval with its Monte Carlo standard error, and how often "no
difference" was rejected (for the negative controls: the type I error). With --without-effect the treatment's effect is
taken out of the world, and the main analysis alone is repeated. Measures as in Morris, White and Crowther 2019,
Stat Med 38:2074.
"""

from __future__ import annotations

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import argparse
from functools import cache, partial
from multiprocessing import Pool

import numpy as np
import pandas as pd

from backpain.cohort import emulate
from backpain.simulate import truth
from backpain.simulate.world import draw_people, withhold
from backpain.spec import Protocol, Run, Survey, Variable, load_protocol, load_run, load_survey, load_variables
from backpain.trials import diagnose_trial, estimate_trial

KEPT = ["main", "unadjusted", "control-common-cold", "control-hernia"]


@cache
def declarations(effect: bool = True) -> tuple[Survey, Protocol, dict[str, Variable], Run]:
    """The demo's own declarations, with the variations that have a known truth; without the effect, the main analysis."""
    protocol, survey = load_protocol("treatment-initiation"), load_survey("demo")
    kept = {name: over for name, over in protocol.variations.items() if name in KEPT} if effect else {}
    protocol = protocol.model_copy(update={"variations": kept})
    return survey if effect else without_effect(survey, protocol), protocol, load_variables(), load_run("demo")


def without_effect(survey: Survey, protocol: Protocol) -> Survey:
    """The survey with a world in which the treatment does nothing to the outcome."""
    assert survey.world is not None
    world = survey.world.model_dump()
    for part in world["follow_up"][protocol.outcome.variable]["categories"].values():
        part["terms"].pop(f"first.{protocol.treatment.variable}", None)
    return survey.model_copy(update={"world": type(survey.world).model_validate(world)})


def replicate(seed: int, effect: bool = True) -> pd.DataFrame:
    """One replication: draw the people, withhold what a survey does not learn, emulate, estimate."""
    survey, protocol, variables, run = declarations(effect)
    rng = np.random.default_rng([seed, 1])
    people = withhold(draw_people(survey, variables, int(run.people or 0), rng), survey, rng).assign(scale=1.0)
    trial = emulate(people, protocol, survey)
    checks = diagnose_trial(trial.participants, trial.skeleton, protocol, survey).diagnostics
    estimates, _ = estimate_trial(trial.participants, trial.skeleton, checks, protocol, survey)
    return estimates[estimates["scale"] == "risk-difference"].assign(seed=seed)


def summarise(found: pd.DataFrame, planted: float) -> pd.DataFrame:
    """Performance of each variation and estimator."""
    rows = []
    for (variation, estimator), each in found.groupby(["variation", "estimator"], sort=False):
        true = 0.0 if str(variation).startswith("control") else planted
        covered = ((each["low"] <= true) & (true <= each["high"])).mean()
        count = len(each)
        rows.append(
            {
                "variation": variation,
                "estimator": estimator,
                "truth": true,
                "bias": each["estimate"].mean() - true,
                "bias_mc_se": each["estimate"].std() / np.sqrt(count),
                "empirical_se": each["estimate"].std(),
                "mean_se": np.sqrt((each["se"] ** 2).mean()),
                "coverage": covered,
                "coverage_mc_se": np.sqrt(covered * (1 - covered) / count),
                "rejects_no_difference": (each["p"] < 0.05).mean(),
                "gate_passed": (each["gate"] == "passed").mean(),
                "replications": count,
            }
        )
    return pd.DataFrame(rows)


def main() -> None:
    """Run the replications and print their summary."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--replications", type=int, default=1000)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--first-seed", type=int, default=1)
    parser.add_argument("--without-effect", action="store_true")
    wanted = parser.parse_args()
    survey, protocol, _, run = declarations(not wanted.without_effect)
    planted = truth(survey, protocol, run.seed)
    effect = float(planted.loc[planted["scale"] == "risk-difference", "truth"].iloc[0])
    seeds = range(wanted.first_seed, wanted.first_seed + wanted.replications)
    with Pool(wanted.processes) as pool:
        one = partial(replicate, effect=not wanted.without_effect)
        found = pd.concat(pool.imap_unordered(one, seeds, chunksize=5), ignore_index=True)
    print(summarise(found, effect).round(4).to_string(index=False))


if __name__ == "__main__":
    main()
