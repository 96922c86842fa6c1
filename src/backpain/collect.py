"""Puts the pieces of a run together into its result tables, and stops a run whose files are not what was published."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd
import yaml

from backpain.harmonise import unexplained
from backpain.spec import load_claims, load_run
from backpain.synthesise import HETEROGENEITY, TABLES, claims, thresholds
from backpain.tables.conceal import conceal
from backpain.trials import AUDITS, DOSES, PANELS, PATHS, SUBGROUPS

SCOPE = ["survey", "analysis", "variation"]
# The tables of a run without a trial, which has nothing to put into them.
WITHOUT_TRIALS = {
    "diagnostics": [*SCOPE, "check", "value", "threshold", "passed", "people"],
    "balance": [*SCOPE, "covariate", "level", "stage", "smd", "variance_ratio", "treated", "untreated"],
    "overlap": [*SCOPE, "arm", "low", "high", "share", "people"],
    "table1": [*SCOPE, "variable", "level", "arm", "kind", "people", "value", "low", "high", "smd", "rule"],
    "missingness": [*SCOPE, "variable", "arm", "missing", "people"],
    "detectable": [*SCOPE, "risk_untreated", "se", "detectable_difference", "power"],
    "panels": PANELS,
    "subgroups": SUBGROUPS,
    "audits": AUDITS,
    "doses": DOSES,
    "reverse_paths": PATHS,
    "heterogeneity": HETEROGENEITY,
    **TABLES,
}


class PublishedError(ValueError):
    """A published figure is not met and no reason is declared."""


def collect(name: str, pieces: Mapping[str, Sequence[str]]) -> dict[str, pd.DataFrame]:
    """Join the pieces of each result table, judge the claims, hide the small cells.

    Parameters
    ----------
    name
        The run.
    pieces
        For each result table the CSV files it is made of.

    Raises
    ------
    PublishedError
        If a figure computed from real files differs from the published one without a declared reason.
    """
    run = load_run(name)
    results = {
        kind: pd.concat([read(path) for path in paths], ignore_index=True)
        if paths
        else pd.DataFrame(columns=WITHOUT_TRIALS[kind])
        for kind, paths in pieces.items()
    }
    if run.simulated:
        # Made-up people reproduce no published figure; the comparison would be a comparison with nothing.
        results["published"] = results["published"].iloc[:0]
    differing = unexplained(results["published"])
    if differing:
        raise PublishedError(
            "published figures are not met:\n  " + "\n  ".join(differing) + "\nEither a file is not the one published, "
            "or a definition is wrong. Where the difference is understood, declare it with `differs:` and its reason."
        )
    results["claims"] = claims(
        results["estimates"], load_claims().claims, results["detectable"], run.simulated, results["audits"]
    )
    results["thresholds"] = thresholds(results["estimates"], load_claims().claims)
    return {**results, **conceal(results, run.smallest_cell)}


def read(path: str) -> pd.DataFrame:
    """A result table; text stays text, so that a category called "none" is not taken for missing."""
    return pd.read_csv(path, keep_default_na=False, na_values=[""])


def read_results(paths: Mapping[str, str]) -> dict[str, pd.DataFrame]:
    """Finished result tables by name, with the published evidence beside them."""
    results = {name: read(path) for name, path in paths.items() if str(path).endswith(".csv")}
    studies = yaml.safe_load(Path(paths["evidence"]).read_text(encoding="utf-8"))["studies"]
    return {**results, "evidence": pd.DataFrame(studies)}
