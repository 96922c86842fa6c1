"""Shares of people among people, with the interval and the presentation rule of NCHS, and their trend over years."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from backpain.audit.rows import failed, finding
from backpain.design import Design, presentation, proportion
from backpain.regression import survey_regression

Marks = NDArray[np.bool_]


def share(key: str, label: str, of: Marks, among: Marks, design: Design, contrast: str = "") -> dict[str, Any]:
    """The share `of` of those `among`, with Korn and Graubard's interval and whether NCHS would show it.

    Parameters
    ----------
    of, among
        (people,) masks; those who do not know whether they are `of` are to be left out of `among`.
    """
    people, events = int(among.sum()), int((of & among).sum())
    if not people:
        return failed(key, label, contrast, "share", "nobody is asked") | {"people": 0, "events": 0}
    found = proportion(of.astype(float), design, among)
    told = presentation(found.estimate, found.se, people, found.df)
    row = finding(key, label, contrast, "share", found.estimate, found.se, found.df, people=people, events=events)
    return row | {
        "low": found.low, "high": found.high, "p": np.nan, "presentation": told.rule, "reason": told.reason,
    }  # fmt: skip


def trend(key: str, label: str, of: Marks, among: Marks, year: ArrayLike, design: Design) -> dict[str, Any]:
    """The ratio of the odds of being `of` from one year to the next, among those `among`, by a straight line."""
    frame = pd.DataFrame({"of": of.astype(float), "year": np.asarray(year, dtype=float)})
    if not 0 < (of & among).sum() < among.sum() or frame.loc[among, "year"].nunique() < 2:
        return failed(key, label, "each year", "odds-ratio", "too little differs for a trend")
    model = survey_regression(frame, "of", ["year"], design, domain=among)
    if not model.converged:
        return failed(key, label, "each year", "odds-ratio", model.reason)
    row = model.table.set_index("term").loc["year"]
    counts = {"people": int(among.sum()), "events": int((of & among).sum())}
    return finding(
        key, label, "each year", "odds-ratio", float(row["estimate"]), float(row["se"]), float(row["df"]), 1.0, **counts
    )


__all__ = ["share", "trend"]
