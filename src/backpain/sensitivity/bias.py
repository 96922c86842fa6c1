"""Probabilistic bias analysis: what the estimate would be if the data were wrong as much as is believed.

Lash, Fox and Fink 2009, Applying Quantitative Bias Analysis, chapters 6 to 8; Fox, MacLehose and Lash 2021, 2nd
edition. The parameters of each bias are drawn from declared priors, the table is corrected by formula, and the
estimate moves by as much as the table's contrast does.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from backpain.design import t_quantile
from backpain.sensitivity.biases import Bias, Cells
from backpain.sensitivity.priors import Numbers

BIAS = ["scale", "error", "estimate", "low", "high", "draws", "impossible", "impossible_share"]
SCALES = ("risk-ratio", "risk-difference")


class PriorsContradictedError(ValueError):
    """Most draws of the priors are impossible with the table that was observed."""


@dataclass(frozen=True)
class SamplingError:
    """The estimate with the design's error of sampling.

    Attributes
    ----------
    estimate
        As reported; adjusted or not.
    se
        Of a ratio on the log scale.
    df
        The design's degrees of freedom; infinite: normal.
    """

    estimate: float
    se: float
    df: float = math.inf


def bias_analysis(
    table: Cells,
    biases: Sequence[Bias],
    sampling: Mapping[str, SamplingError],
    seed: int,
    draws: int = 100_000,
    most_impossible: float = 0.1,
) -> pd.DataFrame:
    """What the estimates are once the biases are undone, draw by draw.

    Biases are undone last to first as they came about: misclassification (in the order given), selection, confounding.

    Parameters
    ----------
    table
        Weighted counts as observed.
    sampling
        The estimate and its error by scale, `risk-ratio` or `risk-difference`.
    seed
        Of the draws; the same seed gives the same numbers.
    most_impossible
        The share of draws that may be impossible (a cell below 0, or sensitivity and specificity that say nothing).

    Returns
    -------
    Rows (scale, error, estimate, low, high, draws, impossible, impossible_share), three for each scale. `error` is
    `sampling` (the estimate with its interval by t), `systematic` (median, 2.5 and 97.5 percentiles over the possible
    draws) or `total` (the same with the error of sampling added to each draw).

    Raises
    ------
    ValueError
        If a cell is not above 0, nothing is believed wrong, or a scale is not known.
    PriorsContradictedError
        If too many draws are impossible.
    """
    observed = _checked(table, biases, sampling, draws)
    generator = np.random.default_rng(seed)
    cells = Cells(*(np.full(draws, cell) for cell in observed))
    possible = np.ones(draws, dtype=bool)
    for bias in sorted(biases, key=lambda one: one.stage):
        cells = bias.undo(cells, bias.draw(draws, generator))
        possible &= np.all([np.isfinite(cell) & (cell > 0) for cell in cells.each], axis=0)
    impossible = int(draws - possible.sum())
    if impossible > most_impossible * draws:
        raise PriorsContradictedError(
            f"bias analysis: {impossible} of {draws} draws are impossible (a corrected cell is 0 or below); the priors "
            "contradict the table. " + _limits(observed)
        )
    kept = Cells(*(cell[possible] for cell in cells.each))
    before = Cells(*(np.array([cell]) for cell in observed))
    count = {"draws": draws, "impossible": impossible, "impossible_share": impossible / draws}
    rows = []
    for scale, error in sampling.items():
        found = _systematic(scale, kept, before, error)
        noise = _noise(error, len(found), generator)
        rows += [{"scale": scale, **row, **count} for row in _summaries(scale, error, found, noise)]
    return pd.DataFrame(rows, columns=BIAS)


def _systematic(scale: str, cells: Cells, before: Cells, error: SamplingError) -> Numbers:
    """(draws,) the estimate, of a ratio its log, moved by as much as the table's contrast moves.

    ASSUME: an adjusted estimate is biased by as much as the crude contrast of the table (of ratios: the log ratio).
    """
    start = math.log(error.estimate) if scale == "risk-ratio" else error.estimate
    return start + _contrast(scale, cells) - _contrast(scale, before)


def _contrast(scale: str, cells: Cells) -> Numbers:
    one, other = cells.treated_events / cells.treated, cells.untreated_events / cells.untreated
    return np.asarray(np.log(one / other) if scale == "risk-ratio" else one - other)


def _noise(error: SamplingError, draws: int, generator: np.random.Generator) -> Numbers:
    """(draws,) errors of sampling.

    ASSUME: the error of sampling is that of the observed estimate, whatever the bias (Lash, Fox and Fink 2009);
    undoing misclassification would widen it.
    """
    normal = math.isinf(error.df)
    scores = generator.standard_normal(draws) if normal else generator.standard_t(error.df, draws)
    return np.asarray(error.se * scores)


def _summaries(scale: str, error: SamplingError, found: Numbers, noise: Numbers) -> list[dict[str, float | str]]:
    start, reach = error.estimate, float(t_quantile(error.df, 0.95)) * error.se
    back = np.exp if scale == "risk-ratio" else np.asarray
    middle = math.log(start) if scale == "risk-ratio" else start
    places = {
        "sampling": np.array([middle - reach, middle, middle + reach]),
        "systematic": np.quantile(found, [0.025, 0.5, 0.975]),
        "total": np.quantile(found + noise, [0.025, 0.5, 0.975]),
    }
    rows: list[dict[str, float | str]] = []
    for name, place in places.items():
        low, estimate, high = (float(number) for number in back(place))
        rows.append({"error": name, "estimate": estimate, "low": low, "high": high})
    return rows


def _checked(
    table: Cells, biases: Sequence[Bias], sampling: Mapping[str, SamplingError], draws: int
) -> NDArray[np.float64]:
    """(4,) the cells as numbers."""
    if not biases:
        raise ValueError("bias analysis: no bias is given; name at least one")
    if draws < 1:
        raise ValueError(f"bias analysis: {draws} draws; ask for at least one")
    observed = np.array([float(np.asarray(cell).reshape(-1)[0]) for cell in table.each])
    if not (np.isfinite(observed).all() and (observed > 0).all()):
        raise ValueError(f"table: the cells are {observed.tolist()}; each must be above 0 for a ratio of risks")
    for scale, error in sampling.items():
        if scale not in SCALES:
            raise ValueError(f"bias analysis: scale {scale!r} is not known; choose from {', '.join(SCALES)}")
        if not math.isfinite(error.estimate) or (scale == "risk-ratio" and error.estimate <= 0):
            raise ValueError(f"bias analysis: the {scale} is {error.estimate}; it must be finite, a ratio above 0")
        if not (math.isfinite(error.se) and error.se >= 0 and error.df > 0):
            raise ValueError(f"bias analysis: the {scale} needs a standard error and degrees of freedom above 0")
    return observed


def _limits(observed: NDArray[np.float64]) -> str:
    """What the table asks of a record that finds somebody treated, and an event, in each group."""
    a, b, c, d = observed
    return (
        f"False positives must stay below what is observed: of treatment {a / (a + c):.4f} among events and "
        f"{b / (b + d):.4f} among others, of the event {a / (a + b):.4f} in the treated and {c / (c + d):.4f} in the "
        "untreated (1 - specificity), and false negatives below the rest; narrow the priors"
    )


__all__ = ["BIAS", "SCALES", "PriorsContradictedError", "SamplingError", "bias_analysis"]
