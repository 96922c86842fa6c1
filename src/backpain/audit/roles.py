"""Two exposures side by side in one model: what each adds to an outcome, and by how much one adds more.

Standardised risk differences and attributable fractions average what a survey-weighted logistic model predicts for everybody
(Greenland and Drescher 1993, Biometrics 49:865, for fractions from models). The average attributable fraction shares the joint
one by the mean over both orders in which the exposures could be removed (Eide and Gefeller 1995, J Clin Epidemiol 48:633).
Dominance analysis compares what each adds to McFadden's measure with and without the other (Azen and Traxel 2009, J Educ
Behav Stat 34:319). Variances are linearised with the model's own estimation carried through; dominance is jackknifed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit

from backpain.audit.rows import Marks, averages, failed, finding
from backpain.design import Design, replicated
from backpain.regression import Regression, Term, survey_regression

Numbers = NDArray[np.float64]
DIFFERENCE = "difference"


@dataclass(frozen=True)
class Exposure:
    """One of the two: what it is called, the number it is measured by (None without one), and the column that marks it."""

    key: str
    label: str
    number: str | None
    present: str


@dataclass(frozen=True)
class Sides:
    """People of a survey with an outcome (0-1), two exposures and further terms; the domain that the model is fitted to."""

    people: pd.DataFrame
    outcome: str
    first: Exposure
    second: Exposure
    terms: Sequence[Term]
    design: Design
    domain: Marks

    @property
    def exposures(self) -> tuple[Exposure, Exposure]:
        """The first and the second."""
        return self.first, self.second

    def fitted(self, columns: Mapping[str, Numbers]) -> Regression:
        """The outcome on these columns (in the order given) and the terms."""
        frame = self.people.assign(**columns)
        return survey_regression(frame, self.outcome, [*columns, *self.terms], self.design, domain=self.domain)


def roles(sides: Sides) -> list[dict[str, Any]]:
    """Every contrast of the two exposures, each one's and their difference (the first less the second).

    Contrasts: `declared` marks of who is exposed; `equal prevalence`, where the more finely measured first number is cut at the
    value whose weighted share is nearest to that of the second mark; `one standard deviation` more of each number; and
    `dominance`. Without numbers there are the declared marks and their dominance.

    Returns
    -------
    list of dict
        Rows with the columns `FINDINGS`.

    Raises
    ------
    ValueError
        As `survey_regression` does.
    """
    rows = marked(sides, "declared", {one.key: _mark(sides, one) for one in sides.exposures})
    if sides.first.number is not None:
        rows += marked(sides, "equal prevalence", matched(sides))
    if all(one.number is not None for one in sides.exposures):
        rows += per_deviation(sides)
    return rows + dominance(sides)


def matched(sides: Sides) -> dict[str, Numbers]:
    """Marks of the two exposures that are as common as one another, as nearly as the first number's values allow."""
    second = _mark(sides, sides.second)
    cut = cut_for(sides, float(_share(sides, second)))
    number = _number(sides, sides.first)
    return {sides.first.key: (number >= cut).astype(float), sides.second.key: second}


def cut_for(sides: Sides, wanted: float) -> float:
    """The value of the first number from which on the weighted share is nearest to the one wanted."""
    number = _number(sides, sides.first)
    values = np.unique(number[sides.domain])[1:]
    if not len(values):
        raise ValueError(
            f"roles: {sides.first.number or sides.first.label} has one value in the domain, so it cannot be cut"
        )
    shares = np.array([_share(sides, (number >= value).astype(float)) for value in values])
    return float(values[np.argmin(np.abs(shares - wanted))])


def marked(sides: Sides, contrast: str, marks: Mapping[str, Numbers]) -> list[dict[str, Any]]:
    """Prevalences, odds ratios, standardised differences and attributable fractions of two marks of 0 and 1."""
    if reason := _unequal(sides, marks):
        return [failed("risk-difference", sides.first.label, contrast, "risk-difference", reason)]
    model = sides.fitted(marks)
    if not model.converged:
        return [failed("risk-difference", sides.first.label, contrast, "risk-difference", model.reason)]
    one, two = marks
    # Everybody with the mark and without: of the first, of the second; without both; as they are.
    ways: list[dict[str, float]] = [{one: 1.0}, {one: 0.0}, {two: 1.0}, {two: 0.0}, {one: 0.0, two: 0.0}, {}]
    value, spread = _averages(sides, model, marks, ways)
    df = float(model.freedom)
    rows = []
    for place, exposure in enumerate(sides.exposures):
        row = model.ratios[model.ratios["term"] == exposure.key].iloc[0]
        share = _share(sides, marks[exposure.key])
        mark = marks[exposure.key][sides.domain]
        event = sides.people[sides.outcome].to_numpy(dtype=float, na_value=0.0)[sides.domain]
        counts = {"people": int(mark.sum()), "events": int((mark * event).sum())}
        rows.append(finding("prevalence", exposure.label, contrast, "share", share, np.nan, df, **counts))
        rows.append(
            finding(
                "odds-ratio",
                exposure.label,
                contrast,
                "odds-ratio",
                np.log(row["estimate"]),
                row["se"],
                df,
                1.0,
                **counts,
            )
        )
        rows.append(_smooth("risk-difference", exposure.label, contrast, _difference(2 * place), value, spread, df))
        rows.append(_smooth("fraction", exposure.label, contrast, _fraction(2 * place + 1), value, spread, df))
        rows.append(_smooth("average-fraction", exposure.label, contrast, _shared(place), value, spread, df))
    rows.append(_smooth("fraction", "both", contrast, _fraction(4), value, spread, df))
    for item, makes in (
        ("risk-difference", (_difference(0), _difference(2))),
        ("average-fraction", (_shared(0), _shared(1))),
    ):
        rows.append(_smooth(item, DIFFERENCE, contrast, _less(*makes), value, spread, df))
    return rows


def difference_of_marks(sides: Sides, marks: Mapping[str, Numbers]) -> tuple[float, float, float] | str:
    """The difference of the marks' standardised risk differences, its standard error and degrees of freedom; or why not."""
    if reason := _unequal(sides, marks):
        return reason
    model = sides.fitted(marks)
    if not model.converged:
        return model.reason
    one, two = marks
    value, spread = _averages(sides, model, marks, [{one: 1.0}, {one: 0.0}, {two: 1.0}, {two: 0.0}])
    pick = np.array([1.0, -1.0, -1.0, 1.0])
    return float(pick @ value), float(np.sqrt(pick @ spread @ pick)), float(model.freedom)


def per_deviation(sides: Sides) -> list[dict[str, Any]]:
    """The average change of the risk by one standard deviation more of each number, and their difference."""
    contrast, numbers = "one standard deviation", {}
    for exposure in sides.exposures:
        values = _number(sides, exposure)
        numbers[exposure.key] = values / _deviation(values[sides.domain], sides.design.weight[sides.domain])
    model = sides.fitted(numbers)
    if not model.converged:
        return [failed("risk-difference", sides.first.label, contrast, "risk-difference", model.reason)]
    one, two = numbers
    ways: list[dict[str, Any]] = [{one: numbers[one] + 1}, {}, {two: numbers[two] + 1}]
    value, spread = _averages(sides, model, numbers, ways)
    makes = (_plain([1.0, -1.0, 0.0]), _plain([0.0, -1.0, 1.0]))
    df = float(model.freedom)
    rows = [
        _smooth("risk-difference", exposure.label, contrast, make, value, spread, df)
        for exposure, make in zip(sides.exposures, makes, strict=True)
    ]
    return [*rows, _smooth("risk-difference", DIFFERENCE, contrast, _less(*makes), value, spread, df)]


def dominance(sides: Sides) -> list[dict[str, Any]]:
    """What each number adds to McFadden's measure beside the terms alone, beside the other too, and on average.

    The first dominates completely where it adds more both times; `general` is the mean of the two. Intervals of the
    differences by the delete-one-PSU jackknife, all four models fitted again in each replicate.
    """
    contrast = "dominance"
    keys = [exposure.key for exposure in sides.exposures]
    numbers = {exposure.key: _number(sides, exposure) for exposure in sides.exposures}
    models = [sides.fitted({key: numbers[key] for key in chosen}) for chosen in ([], keys[:1], keys[1:], keys)]
    if stray := next((model for model in models if not model.converged), None):
        return [failed("dominance", sides.first.label, contrast, "measure", stray.reason)]
    whole = np.asarray(sides.design.weight)
    found = _added(models, whole[:, None], sides)[0]
    design = replicated(sides.design, kind="jkn")
    values = np.concatenate([_added(models, block, sides) for _, block in design.blocks()])
    spread = design.spread(values, found)
    df = float(sides.design.degrees_of_freedom_in(sides.domain))
    names = [
        ("conditional-alone", sides.first.label), ("conditional-alone", sides.second.label),
        ("conditional-beside", sides.first.label), ("conditional-beside", sides.second.label),
        ("general", sides.first.label), ("general", sides.second.label),
        ("conditional-alone", DIFFERENCE), ("conditional-beside", DIFFERENCE), ("general", DIFFERENCE),
    ]  # fmt: skip
    return [
        finding(item, label, contrast, "measure", float(found[place]), float(np.sqrt(spread[place, place])), df)
        for place, (item, label) in enumerate(names)
    ]


def _added(models: Sequence[Regression], weights: Numbers, sides: Sides) -> Numbers:
    """(vectors of weights, 9) what the numbers add, in the order of `dominance`."""
    event = sides.people[sides.outcome].to_numpy(dtype=float, na_value=0.0)[sides.domain]
    found = []
    coefficients = [model.refit(weights) for model in models]
    for place, weight in enumerate(weights[sides.domain].T):
        mean = weight @ event / weight.sum()
        nothing = mean * np.log(mean) + (1 - mean) * np.log1p(-mean)
        fits = [
            1 - _likelihood(model, b[place], weight, event) / nothing
            for model, b in zip(models, coefficients, strict=True)
        ]
        base, first, second, both = fits
        alone, beside = (first - base, second - base), (both - second, both - first)
        general = tuple((x + y) / 2 for x, y in zip(alone, beside, strict=True))
        told = [*alone, *beside, *general, alone[0] - alone[1], beside[0] - beside[1], general[0] - general[1]]
        found.append(told)
    return np.array(found)


def _likelihood(model: Regression, b: Numbers, weight: Numbers, event: Numbers) -> float:
    """The mean weighted log-likelihood."""
    p = expit(model.fit.matrix @ b)
    return float(weight @ np.where(event > 0, np.log(p), np.log1p(-p)) / weight.sum())


Make = Callable[[Numbers], tuple[float, Numbers]]


def _plain(direction: ArrayLike) -> Make:
    vector = np.asarray(direction, dtype=float)
    return lambda value: (float(vector @ value), vector)


def _difference(place: int) -> Make:
    direction = np.zeros(6)
    direction[place], direction[place + 1] = 1.0, -1.0
    return _plain(direction)


def _fraction(without: int) -> Make:
    """One less the risk without the mark over the risk as it is."""

    def make(value: Numbers) -> tuple[float, Numbers]:
        slope = np.zeros(6)
        slope[without], slope[5] = -1 / value[5], value[without] / value[5] ** 2
        return float(1 - value[without] / value[5]), slope

    return make


def _shared(place: int) -> Make:
    """The mean of the fraction removed first, and of what is left of the joint one when the other was removed first."""
    alone, other, joint = _fraction(2 * place + 1), _fraction(3 - 2 * place), _fraction(4)

    def make(value: Numbers) -> tuple[float, Numbers]:
        (a, da), (o, do), (j, dj) = alone(value), other(value), joint(value)
        return (a + j - o) / 2, (da + dj - do) / 2

    return make


def _less(one: Make, other: Make) -> Make:
    def make(value: Numbers) -> tuple[float, Numbers]:
        (a, da), (b, db) = one(value), other(value)
        return a - b, da - db

    return make


SCALES = {"risk-difference": "risk-difference", "fraction": "fraction", "average-fraction": "fraction"}


def _smooth(
    item: str, label: str, contrast: str, make: Make, value: Numbers, spread: Numbers, df: float
) -> dict[str, Any]:
    told, slope = make(value)
    se = float(np.sqrt(max(float(slope @ spread @ slope), 0.0)))
    return finding(item, label, contrast, SCALES[item], told, se, df)


def _averages(
    sides: Sides, model: Regression, columns: Mapping[str, Numbers], ways: Sequence[Mapping[str, Any]]
) -> tuple[Numbers, Numbers]:
    """The average risk of everybody under each way of setting columns, and the design's covariance of the averages."""
    frame = sides.people.assign(**columns).loc[sides.domain]
    made = (
        frame.assign(
            **{name: np.asarray(value)[sides.domain] if np.ndim(value) else value for name, value in way.items()}
        )
        for way in ways
    )
    return averages(model, made, sides.design, sides.domain)


def _mark(sides: Sides, exposure: Exposure) -> Numbers:
    return sides.people[exposure.present].to_numpy(dtype=float, na_value=np.nan)


def _number(sides: Sides, exposure: Exposure) -> Numbers:
    """What an exposure is measured by; the mark of who has it where that is all there is."""
    column = exposure.present if exposure.number is None else exposure.number
    return sides.people[column].to_numpy(dtype=float, na_value=np.nan)


def _share(sides: Sides, mark: Numbers) -> float:
    weight = sides.design.weight[sides.domain]
    return float(weight @ mark[sides.domain] / weight.sum())


def _unequal(sides: Sides, marks: Mapping[str, Numbers]) -> str:
    """Why marks cannot be compared: one that nobody or everybody has."""
    for name, mark in marks.items():
        if not 0 < mark[sides.domain].sum() < sides.domain.sum():
            return f"nobody or everybody has the mark {name}"
    return ""


def _deviation(values: Numbers, weight: Numbers) -> float:
    mean = weight @ values / weight.sum()
    return float(np.sqrt(weight @ (values - mean) ** 2 / weight.sum()))


__all__ = ["DIFFERENCE", "Exposure", "Sides", "cut_for", "dominance", "marked", "matched", "per_deviation", "roles"]
