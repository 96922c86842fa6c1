"""Who is there: one row for each person and wave, the links to files without an id, and who is seen again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from backpain.clean import key_of
from backpain.ingest import Tables
from backpain.sampling import placed
from backpain.spec import Link, Survey


@dataclass(frozen=True)
class People:
    """The persons and waves of a survey, and for each linked file the row that belongs to each of them.

    Attributes
    ----------
    frame : DataFrame
        One row per person and wave: person (text), the key columns, panel, wave, order (0 for the first wave),
        stratum, psu and the columns of further stages, weight_<component>, replicate_<component>_<n>, scale, seen_by
        (record or match) and link_<file> (linked, ambiguous, unmatched).
    linked : dict of DataFrame
        For each file joined by a link, its columns aligned with the rows of `frame`.
    not_followed : int
        Rows of panels or waves that the declaration does not name.
    """

    frame: pd.DataFrame
    linked: dict[str, pd.DataFrame]
    not_followed: int


def gather(tables: Tables, survey: Survey) -> People:
    """Build the persons of a survey from its base file and its links."""
    base, not_followed = _base(tables[survey.base], survey)
    linked: dict[str, pd.DataFrame] = {}
    for link in survey.links:
        if link.to is not None:
            base, linked[link.add] = _attach(base, tables[link.add], link, survey)
    for link in survey.links:
        if link.across is not None:
            base, linked[link.add] = _seek_again(base, linked[link.add], tables[link.add], link)
    return People(base, linked, not_followed)


def _base(table: pd.DataFrame, survey: Survey) -> tuple[pd.DataFrame, int]:
    key = key_of(survey, survey.base)
    weights = survey.design.weights.values()
    joining = [column for link in survey.links if link.to == survey.base for column in link.by if column not in weights]
    columns = list(dict.fromkeys(["wave", *key, *joining, *survey.design.columns]))
    rows = table[columns].drop_duplicates(["wave", *key], ignore_index=True)
    person = _name(rows, key)
    people = rows[list(dict.fromkeys(["wave", *key, *joining]))].assign(person=person)
    people = pd.concat([people, placed(rows, person, survey)], axis=1)
    if survey.waves.panel is not None:
        people = people.assign(panel=people[survey.waves.panel].astype(int))
    people = people.assign(order=_order(people, survey), seen_by="record", scale=_scale(people, survey))
    followed = people["order"].notna()
    people = people[followed].astype({"order": int}).reset_index(drop=True)
    return people, int((~followed).sum())


def _name(rows: pd.DataFrame, key: list[str]) -> pd.Series:
    texts = [
        rows[column].astype("int64").astype(str)
        if pd.api.types.is_float_dtype(rows[column])
        else rows[column].astype(str)
        for column in key
    ]
    named = texts[0]
    for text in texts[1:]:
        named = named + "-" + text
    return named


def _order(people: pd.DataFrame, survey: Survey) -> pd.Series:
    """0 in the first wave of the person's panel, 1 in the next; missing in a wave the panel is not followed in."""
    if survey.waves.panels is None:
        waves = list(survey.waves.values)
        order = {wave: (position if survey.kind == "panel" else 0) for position, wave in enumerate(waves)}
        return people["wave"].map(order)
    pairs = {(panel, wave): i for panel, waves in survey.waves.panels.items() for i, wave in enumerate(waves)}
    found = [
        pairs.get((int(panel), wave))
        for panel, wave in zip(people[str(survey.waves.panel)], people["wave"], strict=True)
    ]
    return pd.Series(found, index=people.index, dtype="float64")


def _scale(people: pd.DataFrame, survey: Survey) -> pd.Series | float:
    """What makes one panel's weights represent the population that all panels of the wave represent together."""
    if survey.design.scaled is None:
        return 1.0
    weight = people["weight_" + next(iter(survey.design.weights))]
    wave = weight.groupby(people["wave"]).transform("sum")
    panel = weight.groupby([people["wave"], people["panel"]]).transform("sum")
    # ASSUME: the share of a panel among people with a record is its share of the population.
    return wave / panel


def _keys(frame: pd.DataFrame, link: Link, rename: dict[str, str]) -> pd.DataFrame:
    keys = {"wave": frame["wave"]}
    for column, how in link.by.items():
        values = frame[rename.get(column, column)]
        if how != "same" and how.decimals is not None:
            values = values.round(how.decimals)
        keys[column] = values
    return pd.DataFrame(keys)


def _attach(base: pd.DataFrame, table: pd.DataFrame, link: Link, survey: Survey) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Join a file without ids to persons of the same wave; a key that two share on either side joins nobody."""
    rename = {column: f"weight_{name}" for name, column in survey.design.weights.items()}
    mine, theirs = _keys(base, link, rename), _keys(table, link, {})
    columns = list(mine.columns)
    shared = mine.duplicated(columns, keep=False)
    unclear = theirs.duplicated(columns, keep=False)
    unique = theirs[~unclear].assign(position=np.flatnonzero(~unclear))
    position = mine.merge(unique, on=columns, how="left", validate="many_to_one")["position"].to_numpy()
    doubled = theirs[unclear].drop_duplicates()
    hit = mine.merge(doubled, on=columns, how="left", indicator=True)["_merge"].to_numpy() == "both"
    ambiguous = shared.to_numpy() | hit
    position = np.where(ambiguous, np.nan, position)
    status = np.where(ambiguous, "ambiguous", np.where(np.isnan(position), "unmatched", "linked"))
    return base.assign(**{f"link_{link.add}": status}), _take(table, position)


def _take(table: pd.DataFrame, position: np.ndarray) -> pd.DataFrame:
    """Rows of a table by position; a missing position gives a row of missing values."""
    logical = {column: "boolean" for column in table.columns if pd.api.types.is_bool_dtype(table[column])}
    filled = (
        table.reset_index(drop=True)
        .astype(logical)
        .reindex(pd.Index(np.where(np.isnan(position), -1, position).astype(int)))
    )
    return filled.reset_index(drop=True)


def _seek_again(
    base: pd.DataFrame, linked: pd.DataFrame, table: pd.DataFrame, link: Link
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Look for the persons without a row in the next wave among everyone in the next wave's file."""
    seen = set(zip(base["person"], base["order"], strict=True))
    last = [(person, order + 1) not in seen for person, order in zip(base["person"], base["order"], strict=True)]
    waves = _next_wave(base)
    asked = base[np.array(last) & waves.notna() & (base[f"link_{link.add}"] == "linked")]
    wanted = linked.loc[asked.index].assign(wave=waves[asked.index], row=asked.index)
    same = [column for column, how in link.by.items() if how == "same"]
    pairs = wanted[["wave", "row", *link.by]].merge(
        table.assign(position=np.arange(len(table)))[["wave", "position", *link.by]],
        on=["wave", *same],
        suffixes=("", "_later"),
    )
    for column, how in link.by.items():
        if how != "same" and how.later is not None:
            pairs = pairs[(pairs[f"{column}_later"] - pairs[column]).between(*how.later)]
    # Exactly one candidate is a match; two or more could each be the person, so neither is taken.
    found = pairs[~pairs["row"].duplicated(keep=False)].sort_values("row")
    again = base.loc[found["row"]].assign(
        wave=found["wave"].astype(base["wave"].dtype).to_numpy(),
        order=base.loc[found["row"], "order"].to_numpy() + 1,
        seen_by="match",
    )
    again = again.assign(**{column: np.nan for column in again.columns if column.startswith(("weight_", "replicate_"))})
    both = pd.concat([base, again], ignore_index=True)
    return both, pd.concat([linked, _take(table, found["position"].to_numpy(float))], ignore_index=True)


def _next_wave(base: pd.DataFrame) -> pd.Series:
    """The wave after each row's in its panel, missing after the last."""
    group: Any = base["panel"] if "panel" in base else pd.Series(0, index=base.index)
    steps = pd.DataFrame({"panel": group, "order": base["order"], "wave": base["wave"]}).drop_duplicates()
    lookup = {(p, o): w for p, o, w in steps.itertuples(index=False)}
    return pd.Series(
        [lookup.get((p, o + 1)) for p, o in zip(group, base["order"], strict=True)],
        index=base.index,
        dtype="object",
    ).astype("Float64" if pd.api.types.is_numeric_dtype(base["wave"]) else "object")
