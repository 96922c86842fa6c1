"""Sets what a survey's files give beside what was published of them."""

from __future__ import annotations

from typing import Any

import pandas as pd

from backpain.clean import holds, meets
from backpain.design import proportion
from backpain.harmonise.mapping import judge
from backpain.ingest import Tables
from backpain.sampling import sampled, weighed
from backpain.spec import Published, Survey, split

COLUMNS = ["survey", "quantity", "expected", "computed", "within", "status", "reason", "source"]
# Of weighted shares in a cross-section: the design-based interval in percent, people and degrees of freedom.
INTERVAL = ["low", "high", "people", "df"]


def published(tables: Tables, people: pd.DataFrame, survey: Survey) -> pd.DataFrame:
    """Compute every published figure of a survey from its files.

    Returns
    -------
    DataFrame
        One row per figure (one per code for counts of codes): expected, computed, within (the tolerance declared),
        status reproduced, differs or differs-explained or not-computable; and, for weighted shares of a cross-section,
        the interval of Korn and Graubard in percent, people and degrees of freedom.
    """
    rows = []
    for figure in survey.published:
        for label, expected, computed in _figures(figure, tables, people, survey):
            told = _interval(figure, people, survey) if figure.share is not None else {}
            rows.append({**compare(survey.name, label, expected, computed, figure), **told})
    return pd.DataFrame(rows, columns=[*COLUMNS, *INTERVAL])


def _interval(figure: Published, people: pd.DataFrame, survey: Survey) -> dict[str, float]:
    """The design-based interval of a weighted share, whose people are a domain of the survey and no subset."""
    if survey.kind != "cross-section":
        return {}
    component = figure.weight or next(iter(survey.design.weights))
    everyone = people[people[f"weight_{component}"] > 0]
    design = sampled(everyone.join(weighed(everyone, survey, component)), survey)
    among = _meet(everyone, figure.among)
    found = proportion(among & _meet(everyone, figure.share or {}), design, among)
    return {"low": 100 * found.low, "high": 100 * found.high, "people": found.people, "df": found.df}


def compare(survey: str, quantity: str, expected: float, computed: float | None, figure: Published) -> dict[str, Any]:
    """One row of the comparison; a difference is explained only where the explanation gives the number computed."""
    status, reason = "differs", ""
    if computed is None:
        status, reason = "not-computable", figure.because or figure.not_computable or ""
    elif abs(computed - expected) <= figure.within:
        status = "reproduced"
    elif figure.differs is not None and abs(computed - figure.differs.computed) <= figure.within:
        status, reason = "differs-explained", figure.differs.because
    values = (survey, quantity, expected, computed, figure.within, status, reason, figure.source)
    return dict(zip(COLUMNS, values, strict=True))


def _figures(
    figure: Published, tables: Tables, people: pd.DataFrame, survey: Survey
) -> list[tuple[str, float, float | None]]:
    if isinstance(figure.value, dict):
        file, column = split(str(figure.codes))
        table = _among(tables[file], figure)
        return [
            (f"{figure.quantity}: {code}", float(count), float(holds(table[column], [code]).sum()))
            for code, count in figure.value.items()
        ]
    value = float(figure.value)
    if figure.not_computable is not None:
        return [(figure.quantity, value, None)]
    if figure.rows is not None:
        return [(figure.quantity, value, float(len(_among(tables[figure.rows], figure))))]
    if figure.total is not None:
        file, column = split(figure.total)
        return [(figure.quantity, value, float(_among(tables[file], figure)[column].sum()))]
    if figure.linked is not None:
        status = people.loc[people["seen_by"] == "record", f"link_{figure.linked}"]
        return [(figure.quantity, value, float((status == "linked").mean()))]
    return [(figure.quantity, value, _people(figure, people, survey))]


def _among(table: pd.DataFrame, figure: Published) -> pd.DataFrame:
    for column, test in figure.among.items():
        table = table[meets(table, column, test)]
    return table


def _people(figure: Published, people: pd.DataFrame, survey: Survey) -> float:
    """People (or their weighted share, in percent) who meet the tests; `first.` and `later.` name the wave."""
    tests = figure.people if figure.people is not None else (figure.share or {})
    if any(name.startswith(("first.", "later.")) for name in [*tests, *figure.among]):
        people = _wide(people)
    among = _meet(people, figure.among)
    met = among & _meet(people, tests)
    if figure.share is None:
        return float(met.sum())
    weight = people[f"weight_{figure.weight or next(iter(survey.design.weights))}"]
    return float(100 * weight[met].sum() / weight[among].sum())


def _meet(people: pd.DataFrame, tests: dict[str, Any]) -> pd.Series:
    met = pd.Series(True, index=people.index)
    for name, test in tests.items():
        met &= judge(people[name], test).fillna(False).astype(bool)
    return met


def _wide(people: pd.DataFrame) -> pd.DataFrame:
    """One row per person with the first wave's columns as `first.` and the next wave's as `later.`."""
    first = people[people["order"] == 0].set_index("person").add_prefix("first.")
    later = people[people["order"] == 1].set_index("person").add_prefix("later.")
    return first.join(later)


def unexplained(table: pd.DataFrame) -> list[str]:
    """What differs from its published figure without a reason; a run on real data stops at these."""
    return [
        f"{row.survey}: {row.quantity}: published {row.expected:,g}, computed {row.computed:,g}"
        for row in table[table["status"] == "differs"].itertuples()
    ]


__all__ = ["COLUMNS", "compare", "published", "unexplained"]
