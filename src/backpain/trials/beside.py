"""Estimates of parts of a trial side by side in one design, so that what parts share because they share PSUs is known."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from backpain.design import Design
from backpain.estimate import ESTIMATORS, Found
from backpain.nuisance import fit_nuisance
from backpain.regression import Term
from backpain.trials.scope import one_sided

Numbers = NDArray[np.float64]

SCALES = ("risk-difference", "risk-ratio")
NO_RATIO = "an arm without events has no ratio"


@dataclass(frozen=True)
class Part:
    """One part: its people, whom `rows` of all people it is, and what its models are of."""

    people: pd.DataFrame
    rows: NDArray[np.intp]
    terms: list[Term]
    lost: str
    found: Found

    @classmethod
    def of(cls, people: pd.DataFrame, rows: NDArray[np.intp], terms: list[Term], lost: str, estimator: str) -> Part:
        """The part's own models and its estimate; where an arm has nobody, why there is none."""
        if reason := one_sided(people):
            nothing = Found(np.full(2, np.nan), np.zeros((len(people), 2)), reason)
            return cls(people, rows, terms, lost, nothing)
        nuisance = fit_nuisance(people, terms, lost=lost)
        return cls(people, rows, terms, lost, ESTIMATORS[estimator](people, terms, nuisance))


def side_by_side(parts: Mapping[str, Part], design: Design) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Contrasts of every part, and their covariance in the design of all.

    Returns
    -------
    estimates
        Rows (scale, part, estimate, se, reason); ratios as ratios, `se` of their logarithm.
    covariance
        Rows (scale, part, other, covariance), of the logarithm of ratios, between the parts that have an estimate.
    """
    rows, shared = [], []
    for scale in SCALES:
        columns, usable = [], []
        for name, part in parts.items():
            reason, value = part.found.reason, np.nan
            if not reason and scale == "risk-ratio" and not (part.found.value > 0).all():
                reason = NO_RATIO
            if not reason:
                column = np.zeros(len(design.weight))
                value, column[part.rows] = _contrast(part.found, scale)
                columns.append(column)
                usable.append(name)
            rows.append({"scale": scale, "part": name, "estimate": value, "reason": reason})
        matrix = design.covariance(np.column_stack(columns)) if columns else np.zeros((0, 0))
        shared += [
            {"scale": scale, "part": name, "other": other, "covariance": matrix[i, j]}
            for i, name in enumerate(usable)
            for j, other in enumerate(usable)
        ]
    covariance = pd.DataFrame(shared, columns=["scale", "part", "other", "covariance"])
    own = covariance[covariance["part"] == covariance["other"]].set_index(["scale", "part"])["covariance"]
    table = pd.DataFrame(rows, columns=["scale", "part", "estimate", "reason"])
    keys = pd.MultiIndex.from_frame(table[["scale", "part"]])
    return table.assign(se=np.sqrt(own.reindex(keys).to_numpy(dtype=float))), covariance


def _contrast(found: Found, scale: str) -> tuple[float, Numbers]:
    """The contrast and its influence function, of a ratio that of the logarithm."""
    risk, influence = found.value, found.influence
    if scale == "risk-difference":
        return float(risk[0] - risk[1]), influence[:, 0] - influence[:, 1]
    return float(risk[0] / risk[1]), influence[:, 0] / risk[0] - influence[:, 1] / risk[1]
