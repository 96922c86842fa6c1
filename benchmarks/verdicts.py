"""How often the demo's rule finds what was planted: power where there is an effect, false support where there is none.

Each seed draws the demo's people anew, emulates the declared trial and reads the claim by its declared rule, once in the
declared world and once in the same world without any effect of treatment.
"""

from __future__ import annotations

import argparse
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import beta, binom

from backpain.cohort import emulate
from backpain.simulate.world import draw_people, withhold
from backpain.spec import Survey, load_claims, load_protocol, load_run, load_survey, load_variables
from backpain.synthesise import claims
from backpain.trials import diagnose_trial, estimate_trial

TREATMENT = "before.antidepressant_start"
# The declared analysis by the estimator that the rule reads.
ALONE = {"variations": {}, "estimators": ["weighting"], "further_estimators": [], "subgroups": {}}
FALSE_SUPPORT = 0.025
WORLDS = ("as declared", "without an effect")


def without_effect(survey: Survey) -> Survey:
    """The survey with a world in which what treatment changes is no cause of back pain: its terms are left out."""
    declared = survey.model_dump(by_alias=True)
    follow_up = declared["world"]["follow_up"]
    for name in ("back_pain", "back_pain_midway", "phq9_midway"):
        draw = follow_up[name]
        parts = list((draw["categories"] or {}).values()) or [draw]
        for part in parts:
            part["terms"].pop(TREATMENT, None)
    return survey.model_copy(update={"world": type(survey.world).model_validate(declared["world"])})


def verdict_of(seed: int, world: str, people: int) -> dict[str, Any]:
    """The demo's claim at one seed: verdict, estimate and interval."""
    survey = load_survey("demo")
    survey = survey if world == WORLDS[0] else without_effect(survey)
    protocol = load_protocol("treatment-initiation").model_copy(update=ALONE)
    rng = np.random.default_rng([seed, 0])
    # As the demo draws them; making files of them and reading these again would give the same people.
    drawn = withhold(draw_people(survey, load_variables(), people, rng), survey, rng)
    trial = emulate(drawn.assign(scale=1.0), protocol, survey)
    checks = diagnose_trial(trial.participants, trial.skeleton, protocol, survey).diagnostics
    estimates, detectable, _ = estimate_trial(trial.participants, trial.skeleton, checks, protocol, survey)
    rules = [rule for rule in load_claims().claims if rule.survey == "demo"]
    row = claims(estimates, rules, detectable, True).iloc[0]
    return {"world": world, "seed": seed, **row[["verdict", "estimate", "low", "high", "gate"]].to_dict()}


def told(found: pd.DataFrame) -> list[str]:
    """A line for each world: the share supported with its exact 95 % interval, and the mean estimate."""
    lines = [
        "| world | seeds | supported | 95 % interval | contradicted | mean estimate per 1,000 |",
        "|---|---|---|---|---|---|",
    ]
    for world, rows in found.groupby("world", sort=False):
        n, hits = len(rows), int((rows["verdict"] == "supported").sum())
        low = beta.ppf(0.025, hits, n - hits + 1) if hits else 0.0
        high = beta.ppf(0.975, hits + 1, n - hits) if hits < n else 1.0
        against = int((rows["verdict"] == "contradicted").sum())
        mean = 1000 * rows["estimate"].mean()
        share = f"{100 * hits / n:.1f} % | {100 * low:.1f} to {100 * high:.1f} %"
        lines.append(f"| {world} | {n} | {share} | {against} | {mean:+.1f} |")
    return lines


def main(words: list[str]) -> int:
    """Run both worlds over the seeds, write `verdicts.csv` and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=200)
    parser.add_argument("--first", type=int, default=1)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--folder", type=Path, default=Path("results/benchmarks"))
    asked = parser.parse_args(words)
    people = load_run("demo").people
    assert people is not None
    jobs = [(seed, world) for world in WORLDS for seed in range(asked.first, asked.first + asked.seeds)]
    rows, began = [], time.monotonic()
    with ProcessPoolExecutor(asked.processes) as pool:
        for done, row in enumerate(pool.map(partial(_one, people=people), jobs), 1):
            rows.append(row)
            if done % 20 == 0:
                print(f"{done} of {len(jobs)}, {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)
    found = pd.DataFrame(rows)
    asked.folder.mkdir(parents=True, exist_ok=True)
    found.to_csv(asked.folder / "verdicts.csv", index=False)
    print("\n".join(told(found)))
    hits = int((found.loc[found["world"] == WORLDS[1], "verdict"] == "supported").sum())
    # One side of a 95 % interval; beyond this number chance is at most 1 %.
    most = int(binom.ppf(0.99, asked.seeds, FALSE_SUPPORT))
    outcome = "Met" if hits <= most else "NOT MET"
    print(
        f"\nWithout an effect the rule supports in {100 * FALSE_SUPPORT:g} %: {hits}, of {most} by chance. {outcome}."
    )
    return 0 if hits <= most else 1


def _one(job: tuple[int, str], people: int) -> dict[str, Any]:
    return verdict_of(*job, people)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
