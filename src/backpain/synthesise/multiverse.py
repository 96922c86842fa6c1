"""What all specifications of a multiverse say together, against a world in which treatment does nothing."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import stdtrit

Numbers = NDArray[np.float64]

TESTS = ["survey", "analysis", "scale", "statistic", "value", "p", "specifications", "replicates"]
MEDIAN, SIGNIFICANT, MEAN_Z = "median estimate", "significant on one side", "mean z"


def _significant(drawn: Numbers, se: Numbers, needed: Numbers) -> Numbers:
    z = drawn / se
    return np.asarray(np.maximum((z > needed).sum(axis=1), (z < -needed).sum(axis=1)), dtype=float)


# Of (draws, specifications) estimates, their (specifications,) standard errors, and the t each needs.
STATISTICS: dict[str, Callable[[Numbers, Numbers, Numbers], Numbers]] = {
    MEDIAN: lambda drawn, se, needed: np.asarray(np.nanmedian(drawn, axis=1)),
    SIGNIFICANT: _significant,
    MEAN_Z: lambda drawn, se, needed: np.asarray(np.nanmean(drawn / se, axis=1)),
}
# A specification that lost more of its replicates than this stays out of the joint tests.
MOST_LOST = 0.05


def joint_tests(estimates: pd.DataFrame, draws: pd.DataFrame) -> pd.DataFrame:
    """Whether the specifications together show an effect: three tests for each scale.

    The statistics are those of Simonsohn, Simmons and Nelson (2020, Nat Hum Behav 4:1208): the median estimate, how many
    specifications are significant on whichever side has more, and the mean z. Each replicate's estimates are moved so that every
    specification's effect is zero, as the sample's own estimates deviate from it; p is the share of replicates (the
    sample counted among them) whose statistic is as far from its centre. Specifications share the draws, so what they
    share of the data is in the test.

    Parameters
    ----------
    estimates, draws
        What `trials.explore` returned, all jobs together, of one survey and analysis.

    Returns
    -------
    Rows with the columns `TESTS`.
    """
    tests = [_tests(table, draws[draws["scale"] == scale]) for scale, table in estimates.groupby("scale", sort=False)]
    return pd.concat(tests, ignore_index=True)[TESTS]


def _tests(table: pd.DataFrame, draws: pd.DataFrame) -> pd.DataFrame:
    """The tests of one scale."""
    kept = table[table["se"].notna() & (table["failed_replicates"] <= MOST_LOST * table["replicates"])]
    kept = kept.set_index("specification")
    ratio = table["scale"].iloc[0] != "risk-difference"
    value = kept["estimate"].to_numpy(dtype=float)
    value = np.log(value) if ratio else value
    wide = draws.pivot(index="replicate", columns="specification", values="value").reindex(columns=kept.index)
    away = wide.to_numpy(dtype=float) - value
    se = kept["se"].to_numpy(dtype=float)
    needed = stdtrit(kept["design_df"].to_numpy(dtype=float), 0.975)
    rows = []
    for name, statistic in STATISTICS.items():
        own, null = float(statistic(value[None], se, needed)[0]), statistic(away, se, needed)
        far = np.abs(null) >= np.abs(own) - 1e-12
        told = float(np.exp(own)) if ratio and name == MEDIAN else own
        rows.append({"statistic": name, "value": told, "p": (1 + far.sum()) / (1 + len(null))})
    head = table.iloc[0][["survey", "analysis", "scale"]].to_dict()
    return pd.DataFrame(rows).assign(**head, specifications=len(kept), replicates=len(away))
