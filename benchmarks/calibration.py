"""Does calibration by negative controls work? Seeded replications of controls with a known systematic error.

    .venv/bin/python benchmarks/calibration.py [--replications 400] [--processes 2]

Three worlds. Normal controls: estimates of known standard error. Few events: two binomial arms in each control. Weighted
clusters: a stratified, clustered sample with uneven weights, as the trials have. Prints for each way to a null its mean
and sd beside the truth, how often the posterior's 95 % interval holds them, how often a calibrated p below 0.05 rejects
a true null, and how often a calibrated 95 % interval holds a true effect, with Monte Carlo standard errors.
"""

from __future__ import annotations

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import argparse
from collections.abc import Sequence
from functools import partial
from multiprocessing import Pool
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from backpain.calibrate import PENALTIES, arms_profile, calibrate, fit_null, normal_profile
from backpain.design import Design
from backpain.diagnose import effective_sample_size

Numbers = NDArray[np.float64]

# The systematic error of every world, how many controls there are, and the effect of the outcome of interest.
MEAN, SD, CONTROLS, TRUTH = 0.1, 0.2, 35, 0.3


def judged(profiles: list[pd.DataFrame], way: str, penalty: str, estimate: float, se: float) -> list[dict[str, Any]]:
    """A null of controls, and what it says of the outcome of interest when its truth is none, and when it is TRUTH."""
    null = fit_null(pd.concat(profiles, ignore_index=True), penalty)
    row, seen = null.row(), pd.DataFrame({"estimate": [estimate, estimate + TRUTH], "se": se})
    rows = []
    for uncertain in (True, False):
        found = calibrate(seen, null, uncertain=uncertain)
        rows.append(
            {
                "way": way,
                "penalty": penalty,
                "integrated": uncertain,
                "controls": null.controls,
                "mean": null.mean,
                "sd": null.sd,
                "holds_mean": row["mean_low"] <= MEAN <= row["mean_high"],
                "holds_sd": row["sd_low"] <= SD <= row["sd_high"],
                "p": found["p"].iloc[0],
                "calibrated_p": found["calibrated_p"].iloc[0],
                "calibrated_low": found["calibrated_low"].iloc[1],
                "calibrated_high": found["calibrated_high"].iloc[1],
            }
        )
    return rows


def normal_world(seed: int, penalties: Sequence[str] = tuple(PENALTIES)) -> list[dict[str, Any]]:
    """Controls whose estimates are normal with known standard errors from 0.1 to 0.4."""
    rng = np.random.default_rng([seed, 1])
    se = rng.uniform(0.1, 0.4, CONTROLS)
    estimate = rng.normal(MEAN, SD, CONTROLS) + se * rng.normal(size=CONTROLS)
    profiles = [normal_profile(str(k), *pair) for k, pair in enumerate(zip(estimate, se, strict=True))]
    outcome = rng.normal(MEAN, SD) + 0.1 * rng.normal()
    return [row for penalty in penalties for row in judged(profiles, "normal", penalty, outcome, 0.1)]


def few_world(seed: int, untreated: float) -> list[dict[str, Any]]:
    """Controls of 6,000 treated and 2,000 untreated people with few events; untreated is the number expected there."""
    rng = np.random.default_rng([seed, 2, int(10 * untreated)])
    events = np.column_stack(
        [
            rng.binomial(6000, untreated / 2000 * np.exp(rng.normal(MEAN, SD, CONTROLS))),
            rng.binomial(2000, untreated / 2000, CONTROLS),
        ]
    )
    people = np.array([6000.0, 2000.0])
    both = events.min(axis=1) > 0
    estimate = np.log(np.where(both, events[:, 0] / 6000, 1)) - np.log(np.where(both, events[:, 1] / 2000, 1))
    se = np.sqrt((1 / np.maximum(events, 1) - 1 / people).sum(axis=1))
    normal = [normal_profile(str(k), estimate[k], se[k]) for k in np.flatnonzero(both)]
    exact = [arms_profile(str(k), tuple(events[k] / people), (6000, 2000)) for k in np.flatnonzero(events.any(axis=1))]
    ways = {"normal": normal, "profile": exact}
    outcome = rng.normal(MEAN, SD) + 0.1 * rng.normal()
    return [row for way, profiles in ways.items() for row in judged(profiles, way, "half-normal", outcome, 0.1)]


def clusters(rng: np.random.Generator, base: Numbers, error: Numbers) -> tuple[pd.DataFrame, NDArray[np.bool_]]:
    """8,000 people of 60 strata of two PSUs with uneven weights, and their events of each control."""
    psu = rng.integers(0, 120, 8000)
    weight = rng.lognormal(0, 0.7, 8000) * np.exp(rng.normal(0, 0.3, 120))[psu]
    treated = rng.random(8000) < 0.74
    alike = rng.normal(0, 0.3, (120, len(base)))
    risk = np.exp(base + alike[psu] - 0.045 + treated[:, None] * error)
    frame = pd.DataFrame({"stratum": psu // 2, "psu": psu % 2, "weight": weight, "treated": treated})
    return frame, rng.random(risk.shape) < risk


def arms(frame: pd.DataFrame, events: NDArray[np.bool_]) -> tuple[Numbers, Numbers, Numbers]:
    """(controls, 2) weighted risks, the (controls,) design's standard error of the log ratio, (2,) people it is worth."""
    weight, treated = frame["weight"].to_numpy(), frame["treated"].to_numpy()
    design = Design.of(frame)
    risks, influences, worth = [], [], []
    for arm in (treated, ~treated):
        part = np.where(arm, weight, 0.0) / weight[arm].sum()
        risk = part @ events
        risks.append(risk)
        influences.append(part[:, None] * (events - risk) / np.where(risk > 0, risk, 1))
        worth.append(effective_sample_size(weight[arm]))
    se = np.sqrt(np.diag(design.covariance(influences[0] - influences[1])))
    return np.column_stack(risks), se, np.array(worth)


def clustered_world(seed: int, untreated: float) -> list[dict[str, Any]]:
    """Controls in a survey: normal with the design's standard error, or two binomials of the people weights are worth."""
    rng = np.random.default_rng([seed, 3, int(10 * untreated)])
    base = np.log(untreated / 2080 * rng.lognormal(-0.125, 0.5, CONTROLS))
    frame, events = clusters(rng, base, rng.normal(MEAN, SD, CONTROLS))
    risk, se, worth = arms(frame, events)
    both = np.flatnonzero((risk > 0).all(axis=1))
    enough = np.flatnonzero(events[~frame["treated"].to_numpy()].sum(axis=0) >= 10)
    sizes = (float(worth[0]), float(worth[1]))
    every = {k: arms_profile(str(k), (risk[k, 0], risk[k, 1]), sizes) for k in np.flatnonzero(risk.any(axis=1))}
    ways = {
        "normal, design SE": [normal_profile(str(k), float(np.log(risk[k, 0] / risk[k, 1])), se[k]) for k in both],
        "profile": list(every.values()),
        "profile, 10 untreated events": [every[k] for k in enough if k in every],
    }
    outcome_frame, outcome_events = clusters(rng, np.log([112 / 2080]), rng.normal(MEAN, SD, 1))
    seen, seen_se, _ = arms(outcome_frame, outcome_events)
    outcome = float(np.log(seen[0, 0] / seen[0, 1]))
    return [
        row
        for way, profiles in ways.items()
        if len(profiles) >= 3
        for row in judged(profiles, way, "half-normal", outcome, float(seen_se[0]))
    ]


def normal_errors(repetitions: int) -> pd.DataFrame:
    """Replications of the normal world, integrated over what the null may be, under the half-normal penalty."""
    found = pd.DataFrame([row for seed in range(repetitions) for row in normal_world(seed, ["half-normal"])])
    return found[found["integrated"]]


def few_events(repetitions: int, untreated: float) -> pd.DataFrame:
    """Replications of the world of few events."""
    found = pd.DataFrame([row for seed in range(repetitions) for row in few_world(seed, untreated)])
    return found[found["integrated"]]


def summarise(found: pd.DataFrame) -> pd.DataFrame:
    """Performance of each way to a null."""
    rows = []
    for (world, way, penalty, integrated), each in found.groupby(["world", "way", "penalty", "integrated"], sort=False):
        count = len(each)
        rejected = (each["calibrated_p"] < 0.05).mean()
        covered = ((each["calibrated_low"] <= TRUTH) & (each["calibrated_high"] >= TRUTH)).mean()
        rows.append(
            {
                "world": world,
                "way": way,
                "penalty": penalty,
                "integrated": integrated,
                "controls": each["controls"].mean(),
                "mean": each["mean"].mean(),
                "mean_mc_se": each["mean"].std() / count**0.5,
                "sd": each["sd"].mean(),
                "holds_mean": each["holds_mean"].mean(),
                "holds_sd": each["holds_sd"].mean(),
                "plain_rejects": (each["p"] < 0.05).mean(),
                "rejects": rejected,
                "rejects_mc_se": (rejected * (1 - rejected) / count) ** 0.5,
                "coverage": covered,
            }
        )
    return pd.DataFrame(rows)


def main() -> None:
    """Run the replications and print their summary."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--replications", type=int, default=400)
    parser.add_argument("--processes", type=int, default=2)
    wanted = parser.parse_args()
    worlds = {"normal": normal_world}
    worlds |= {f"few events, {untreated} untreated": partial(few_world, untreated=untreated) for untreated in (2.5, 10)}
    worlds |= {
        f"clusters, {untreated} untreated": partial(clustered_world, untreated=untreated) for untreated in (2.5, 10, 40)
    }
    parts = []
    with Pool(wanted.processes) as pool:
        for name, world in worlds.items():
            rows = [row for rows in pool.imap_unordered(world, range(wanted.replications), chunksize=5) for row in rows]
            parts.append(pd.DataFrame(rows).assign(world=name))
    print(f"Truth: mean {MEAN}, sd {SD}, effect {TRUTH}; {wanted.replications} replications")
    print(summarise(pd.concat(parts, ignore_index=True)).round(3).to_string(index=False))


if __name__ == "__main__":
    main()
