"""What imputation returns: the imputed cells only, how the chains went, and the completed people."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from backpain.impute.variables import levels_of

VALUES = ["imputation", "row", "variable", "value"]
TRACE = ["imputation", "panel", "iteration", "variable", "level", "mean", "sd"]
NOTES = ["imputation", "panel", "variable", "what", "column", "iterations"]


@dataclass(frozen=True)
class Imputations:
    """The imputed cells of some or all imputations.

    Attributes
    ----------
    values : DataFrame
        imputation (1 to m), row (position in the frame), variable, value: a category's position among its
        `levels_of`, or the number itself.
    trace : DataFrame
        imputation, panel, iteration, variable, level, mean, sd: of the values drawn in each iteration; for a
        category the share of each level. For convergence plots, and `r_hat`.
    notes : DataFrame
        imputation, panel, variable, what, column, iterations: columns a model could not take, and perfect
        prediction met and handled, with the number of iterations it concerned.
    categories
        The variables whose values are positions of levels.
    people
        Rows of the frame.
    numbers
        The imputations at hand, in order.
    """

    values: pd.DataFrame
    trace: pd.DataFrame
    notes: pd.DataFrame
    categories: tuple[str, ...]
    people: int
    numbers: tuple[int, ...]


def gather(parts: Sequence[Imputations]) -> Imputations:
    """Imputations made by several jobs, as if one had made them all.

    Raises
    ------
    ValueError
        If there are none, they are of different people or variables, or one number occurs twice.
    """
    if not parts:
        raise ValueError("impute: there are no imputations to gather")
    kinds = {(part.people, part.categories) for part in parts}
    if len(kinds) > 1:
        raise ValueError("impute: the parts are of different people or variables; make them with one plan and frame")
    numbers = [number for part in parts for number in part.numbers]
    if len(set(numbers)) < len(numbers):
        raise ValueError(f"impute: imputations {sorted(numbers)} hold one twice; give every job its own numbers")
    parts = sorted(parts, key=lambda part: part.numbers)
    values, trace, notes = (
        pd.concat([getattr(part, name) for part in parts], ignore_index=True)
        .sort_values("imputation", kind="stable", ignore_index=True)
        .astype(dict(getattr(parts[0], name).dtypes))
        for name in ("values", "trace", "notes")
    )
    return Imputations(values, trace, notes, parts[0].categories, parts[0].people, tuple(sorted(numbers)))


def completed(frame: pd.DataFrame, imputations: Imputations, number: int) -> pd.DataFrame:
    """The people with one imputation's values in their gaps; what was observed is untouched.

    Returns
    -------
    A copy of frame with the same columns, index and, where no gap is left, types: categories keep their categories,
    booleans become `bool`.

    Raises
    ------
    ValueError
        If there is no such imputation, or the frame is not the one that was imputed.
    """
    if number not in imputations.numbers:
        raise ValueError(f"impute: there is no imputation {number}; at hand are {list(imputations.numbers)}")
    if len(frame) != imputations.people:
        raise ValueError(f"impute: {len(frame)} people for imputations of {imputations.people}; give the same frame")
    whole = frame.copy()
    mine = imputations.values[imputations.values["imputation"] == number]
    for name, cells in mine.groupby("variable", observed=True, sort=False):
        rows, value = cells["row"].to_numpy(), cells["value"].to_numpy()
        if frame[name].iloc[rows].notna().any():
            raise ValueError(f"impute: {name} is known for people who were imputed; give the frame that was imputed")
        filled: pd.Series = frame[name].copy()
        if name in imputations.categories:
            levels = pd.Series(levels_of(frame[name]), dtype=filled.dtype)
            filled.iloc[rows] = levels.iloc[value.astype(int)].to_numpy()
        else:
            filled.iloc[rows] = value
        whole[name] = _whole_type(filled)
    return whole


def _whole_type(values: pd.Series) -> pd.Series:
    """Booleans that were objects because some were missing become booleans again."""
    if values.dtype == object and values.isin([True, False]).all():
        return values.astype(bool)
    return values


def r_hat(trace: pd.DataFrame) -> pd.DataFrame:
    """Whether chains have mixed: the potential scale reduction of the means of the later half of iterations.

    sqrt(((T - 1) / T W + B / T) / W) for T iterations, with W the mean variance within chains and B / T that of the
    chains' means (Gelman and Rubin 1992, Stat Sci 7:457). Close to 1 when chains agree; on few iterations it is
    rough, and for imputation stricter than need be (Oberman, van Buuren and Vink 2021, arXiv 2110.11951).

    Parameters
    ----------
    trace
        Of `Imputations`, with two chains and four iterations at least.

    Returns
    -------
    Rows (panel, variable, level, chains, iterations, r_hat); r_hat is 1 where nothing varies.

    Raises
    ------
    ValueError
        With fewer chains or iterations.
    """
    last = 0 if trace.empty else int(trace["iteration"].max())
    late = trace[trace["iteration"] > last // 2]
    kept = last - last // 2
    if kept < 2 or trace["imputation"].nunique() < 2:
        raise ValueError("impute: r_hat compares chains: it takes two imputations and four iterations at least")
    rows = []
    for (panel, variable, level), each in late.groupby(["panel", "variable", "level"], sort=False, observed=True):
        chains = each.pivot(index="iteration", columns="imputation", values="mean").to_numpy()
        within, between = chains.var(axis=0, ddof=1).mean(), chains.mean(axis=0).var(ddof=1)
        ratio = (kept - 1) / kept + between / within if within > 0 else (1.0 if between == 0 else np.inf)
        rows.append((panel, variable, level, chains.shape[1], kept, float(np.sqrt(ratio))))
    return pd.DataFrame(rows, columns=["panel", "variable", "level", "chains", "iterations", "r_hat"])
