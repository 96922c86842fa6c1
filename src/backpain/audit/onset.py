"""Ages at onset as a cohort seen backwards: what becomes of the rates when time before a treatment is counted with it.

People tell now at what age pain began and for how long they have taken a drug. Whoever takes it today was alive and in the
survey until today, so a group made of them is immortal until the drug began (Suissa 2008, Am J Epidemiol 167:492), and those
who stopped are among the untreated. The three ways of counting are set side by side to show it; none is an effect.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from backpain.audit.rows import failed, finding
from backpain.design import Design
from backpain.regression import Term, survey_regression

Numbers = NDArray[np.float64]
Marks = NDArray[np.bool_]

DesignOf = Callable[[pd.DataFrame], Design]

BEFORE, ON, NEVER = "before the drug", "on the drug", "never on the drug"
WITH, WITHOUT, UNTREATED = (
    "time before the drug counted as treated",
    "time before the drug left out",
    "time before the drug counted as untreated",
)
BAND = 10  # years of age in a band of person-time
YEAR, EVENT, TREATED = "year of age", "event", "treated"


@dataclass(frozen=True)
class Ages:
    """Ages in years of people in a domain: now, when the outcome began and when the drug did (NaN without).

    Attributes
    ----------
    now, onset, drug : (people,) arrays
        Onset is known or never was for everybody in the domain.
    first
        The age from which everybody is followed back; an onset before it was there already.
    """

    now: Numbers
    onset: Numbers
    drug: Numbers
    first: int

    @classmethod
    def of(cls, now: ArrayLike, onset: ArrayLike, years_on_drug: ArrayLike, first: int) -> Ages:
        """Ages from what people tell: their age, the age at onset, and the years that they have taken the drug."""
        age, taken = np.asarray(now, dtype=float), np.asarray(years_on_drug, dtype=float)
        return cls(age, np.asarray(onset, dtype=float), np.maximum(np.floor(age - taken), 0.0), first)

    def years(self) -> pd.DataFrame:
        """One row for each year of age at risk: person (position), year of age, event, and whether the drug had begun.

        A year counts whole where it was begun; the year of onset is the last.
        """
        start = np.full(len(self.now), float(self.first))
        last = np.fmin(np.floor(self.now), np.where(np.isnan(self.onset), np.inf, self.onset))
        there = np.isnan(self.onset) | (self.onset >= start)
        count = np.where(there, np.maximum(last - start + 1, 0), 0).astype(int)
        person = np.repeat(np.arange(len(count)), count)
        year = start[person] + np.arange(len(person)) - np.repeat(np.cumsum(count) - count, count)
        frame = pd.DataFrame({"person": person, YEAR: year, EVENT: (year == self.onset[person]).astype(float)})
        frame["drug"] = year >= np.where(np.isnan(self.drug), np.inf, self.drug)[person]
        frame["taker"] = ~np.isnan(self.drug)[person]
        # Pain was there when the drug began: such people are no candidates for a treatment that is to prevent it.
        frame["late"] = frame["taker"] & (self.onset < self.drug)[person]
        return frame


def backwards(
    people: pd.DataFrame, ages: Ages, terms: Sequence[Term], design_of: DesignOf, domain: Marks
) -> list[dict[str, Any]]:
    """Person-years by band of age, and the rates and hazard ratios by each of three ways to count time before the drug.

    Parameters
    ----------
    people
        (people,) rows with the variables of `terms` and the columns of the design.
    ages
        Of the same people.
    design_of
        The design of rows taken from `people`, some of them many times.
    domain
        (people,) who is followed back.

    Returns
    -------
    list of dict
        Rows with the columns `FINDINGS`: `person-years` (counts, unweighted) by band of age, `rate` for each 1,000
        person-years (weighted) and `hazard-ratio` of a complementary log-log model of years of age.

    Raises
    ------
    ValueError
        As `survey_regression` does.
    """
    years = ages.years()
    years = years[domain[years["person"].to_numpy()]]
    rows = _bands(years)
    for way, (kept, treated) in _ways(years).items():
        rows += _rates(way, years[kept].assign(**{TREATED: treated[kept].astype(float)}), people, terms, design_of)
    return rows


def _ways(years: pd.DataFrame) -> Mapping[str, tuple[Marks, Marks]]:
    """For each way of counting the years that count, and those that count as treated."""
    drug, taker, late = (years[name].to_numpy(bool) for name in ("drug", "taker", "late"))
    return {
        WITH: (~late, taker),
        WITHOUT: (~late & (drug | ~taker), drug),
        UNTREATED: (np.ones(len(years), bool), drug),
    }


def _bands(years: pd.DataFrame) -> list[dict[str, Any]]:
    """Person-years at risk by band of age, of people who take the drug now before and on it, and of others."""
    band = (years[YEAR] // BAND * BAND).astype(int)
    state = np.select([years["drug"], years["taker"]], [ON, BEFORE], NEVER)
    rows = []
    for (low, name), part in years.groupby([band, state]):
        told = finding(
            "person-years", str(name), f"{low} to {low + BAND - 1}", "count", float(len(part)), np.nan, np.nan
        )
        rows.append(told | {"people": int(part["person"].nunique()), "events": int(part[EVENT].sum())})
    return rows


def _rates(
    way: str, years: pd.DataFrame, people: pd.DataFrame, terms: Sequence[Term], design_of: DesignOf
) -> list[dict[str, Any]]:
    """Rates of both groups, and the ratio of their hazards, with the design carried to the years of each person."""
    person = years["person"].to_numpy()
    frame = people.iloc[person].reset_index(drop=True)
    frame = frame.assign(**{name: years[name].to_numpy(float) for name in (YEAR, EVENT, TREATED)})
    design = design_of(frame)
    weight, rows = design.weight, []
    for label, mark in ((TREATED, frame[TREATED] == 1), ("untreated", frame[TREATED] == 0)):
        here = mark.to_numpy()
        events = frame[EVENT].to_numpy()[here]
        counts = {"people": int(np.unique(person[here]).size), "events": int(events.sum())}
        if not here.any():
            return [failed("hazard-ratio", TREATED, way, "hazard-ratio", f"no year counts as {label}")]
        rate = float(weight[here] @ events / weight[here].sum())
        rows.append(finding("rate", label, way, "rate", rate, np.nan, np.nan, **counts))
    age: Term = {"variable": YEAR, "as": "restricted cubic spline", "knots": 4}
    model = survey_regression(frame, EVENT, [TREATED, age, *terms], design, family="complementary-log-log")
    if not model.converged:
        return [*rows, failed("hazard-ratio", TREATED, way, "hazard-ratio", model.reason)]
    row = model.table.set_index("term").loc[TREATED]
    counts = {"people": int(np.unique(person).size), "events": int(frame[EVENT].sum())}
    told = finding(
        "hazard-ratio",
        TREATED,
        way,
        "hazard-ratio",
        float(row["estimate"]),
        float(row["se"]),
        float(row["df"]),
        1.0,
        **counts,
    )
    return [*rows, told]


__all__ = ["BEFORE", "NEVER", "ON", "UNTREATED", "WITH", "WITHOUT", "Ages", "backwards"]
