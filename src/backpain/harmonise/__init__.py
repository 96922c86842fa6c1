"""Turns a survey's raw tables into the shared variables, refuses what has no meaning, and says how it was done."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from backpain.harmonise.mapping import Mapper, judge
from backpain.harmonise.people import gather
from backpain.harmonise.pooling import pool
from backpain.harmonise.published import compare, published, unexplained
from backpain.ingest import Tables
from backpain.sampling import places
from backpain.spec import Mapping, Survey, Variable

__all__ = ["Harmonised", "compare", "harmonise", "judge", "matrix", "pool", "published", "unexplained"]


@dataclass(frozen=True)
class Harmonised:
    """People in the shared variables.

    Attributes
    ----------
    people : DataFrame
        One row per person and wave: person, panel (panels only), wave, order, seen_by, stratum, psu and the columns of
        further stages, scale, weight_<component>, replicate_<component>_<n>, link_<file>, and every declared variable as
        a categorical or a number.
    not_followed : int
        People of waves or panels that the declaration leaves out.
    """

    people: pd.DataFrame
    not_followed: int


def harmonise(tables: Tables, survey: Survey, variables: dict[str, Variable]) -> Harmonised:
    """Apply every mapping of a survey.

    Parameters
    ----------
    tables
        What `clean` returned.
    survey, variables
        The declaration and the shared variables.

    Raises
    ------
    ValueError
        For codes without a meaning, values out of range, blanks where the declaration says there are none.
    """
    people = gather(tables, survey)
    mapper = Mapper(tables, people, survey, variables)
    made = {name: mapper.variable(name) for name, mapping in survey.variables.items() if mapping.unavailable is None}
    kept = [
        column
        for column in people.frame.columns
        if column in ("person", "panel", "wave", "order", "seen_by", "scale", *places(survey))
        or column.startswith(("weight_", "joint_", "replicate_", "link_"))
    ]
    frame = pd.concat([people.frame[kept], pd.DataFrame(made, index=people.frame.index)], axis=1)
    return Harmonised(frame, people.not_followed)


def matrix(survey: Survey, variables: dict[str, Variable]) -> pd.DataFrame:
    """The harmonisation matrix: how a survey answers each variable, or why it cannot."""
    rows = []
    for name, variable in variables.items():
        mapping = survey.variables.get(name)
        if mapping is None:
            status, how, reason = "unavailable", "", "not declared: no analysis of this survey asks for it"
        elif mapping.unavailable is not None:
            status, how, reason = "unavailable", "", mapping.unavailable
        else:
            status, how, reason = (
                ("derived" if mapping.derive else "mapped"),
                describe(mapping),
                mapping.because or "",
            )
        rows.append((survey.name, name, variable.label, status, how, reason))
    return pd.DataFrame(rows, columns=["survey", "variable", "label", "status", "how", "reason"])


def describe(mapping: Mapping) -> str:
    """A mapping in one line, as near to the declaration as a line can be."""
    uses = ", ".join(dict.fromkeys(f"{file}.{column}" for file, columns, _ in mapping.uses() for column in columns))
    needs = ", ".join(sorted(mapping.needs()))
    what = {
        "from": "recoded" if mapping.recode else "cut" if mapping.cut else "as is",
        "derive": str(mapping.derive),
    }
    return f"{what.get(mapping.kind, mapping.kind.replace('_', ' '))}: {uses or needs}"
