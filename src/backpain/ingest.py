"""Reads a survey's files as declared: one frame for each file over all waves, raw codes untouched."""

from __future__ import annotations

from collections.abc import Mapping as Lookup
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from backpain.acquire import Wanted
from backpain.read import ReadError, read
from backpain.spec import File, Source, Survey, split

Tables = dict[str, pd.DataFrame]


@dataclass(frozen=True)
class Place:
    """One file of one wave: the receipt's name for it, and what fills the braces of its path."""

    file: str
    wave: int | str | None
    fields: dict[str, Any]

    @property
    def receipt(self) -> str:
        """The name under which the file is found again in the receipts."""
        return self.file if self.wave is None else f"{self.file} {self.wave}"

    def fill(self, text: str) -> str:
        """Fill `{year}`, `{yy}`, `{cycle}` and the wave's own fields."""
        return text.format(**self.fields)


def places(survey: Survey) -> list[Place]:
    """Every file of every wave, lookups last."""
    found = []
    for name, file in survey.files.items():
        for wave in file.waves or survey.waves.values:
            fields = {
                survey.waves.name: wave,
                "wave": wave,
                "yy": str(wave)[-2:],
                **survey.waves.values[wave],
            }
            found.append(Place(name, wave, fields))
    return found + [Place(name, None, {}) for name in survey.lookups]


def wanted(survey: Survey) -> list[Wanted]:
    """What the survey asks `acquire` to find, in the declared order."""
    asked = []
    for place in places(survey):
        file = _file(survey, place.file)
        alternatives = tuple(place.fill(path) for path in file.or_)
        paths = [place.fill(file.path), *alternatives]
        asked.append(
            Wanted(
                name=place.receipt,
                path=paths[0],
                alternatives=alternatives,
                url=place.fill(file.url) if file.url else None,
                sha256={path: file.sha256[path] for path in paths if path in file.sha256} or None,
                bytes=round(file.megabytes * 1e6) if file.megabytes else None,
                obtain=place.fill(file.obtain) if file.obtain else "",
                inside=place.fill(file.member) if file.member else None,
            )
        )
    return asked


def ingest(survey: Survey, paths: Lookup[str, Path]) -> Tables:
    """Read every file of a survey.

    Parameters
    ----------
    survey : Survey
        The declaration.
    paths : mapping
        From the receipt's name (`conditions 2008`) to where the file lies.

    Returns
    -------
    dict of DataFrame
        For each declared file a frame with the column `wave`, the person's key and every column that the
        declaration reads, over all waves. Where codes depend on the source column, `<column>.source` names it.

    Raises
    ------
    ValueError
        If a file lacks a declared column, a text does not have the declared form, or a file that holds the weight of a
        subsample has two rows for somebody.
    """
    needed = columns_read(survey)
    tables: dict[str, list[pd.DataFrame]] = {name: [] for name in survey.files}
    lookups = {
        place.file: read(paths[place.receipt], columns=sorted(needed[place.file]))
        for place in places(survey)
        if place.wave is None
    }
    for place in places(survey):
        if place.wave is None:
            continue
        file = survey.files[place.file]
        path = paths[place.receipt]
        try:
            frame = _read_declared(path, file, place) if file.columns else _read_named(path, file, needed[place.file])
        except ReadError as error:
            raise ReadError(f"{error} (asked for by config/surveys/{survey.name}.yaml, file {place.file})") from error
        if file.lookup is not None:
            frame = _look_up(frame, lookups[file.lookup.file], file.lookup.by, path)
        tables[place.file].append(frame.assign(wave=place.wave))
    found = {name: pd.concat(parts, ignore_index=True) for name, parts in tables.items()}
    for name, columns in survey.design.borrowed.items():
        found[survey.base] = _borrow(found[survey.base], found[name], columns, survey, name)
    return found


def _borrow(base: pd.DataFrame, table: pd.DataFrame, columns: list[str], survey: Survey, name: str) -> pd.DataFrame:
    """The base file with a subsample's weights beside it: nothing for those whom the subsample left out."""
    key = ["wave", *survey.person]
    twice = table.duplicated(key)
    if twice.any():
        raise ValueError(
            f"{survey.name}: {name}: {int(twice.sum())} people have two rows, so that their weight is not known; "
            "fetch the file again"
        )
    present = [column for column in columns if column in table]
    lent = base[key].merge(table[[*key, *present]], on=key, how="left", validate="many_to_one")[present]
    return base.assign(**{column: lent[column].fillna(0.0).to_numpy() for column in present})


def columns_read(survey: Survey) -> dict[str, set[str]]:
    """The columns each file is read for: keys, design, variables, checks, published counts, links, lookups."""
    needed: dict[str, set[str]] = {name: set() for name in [*survey.files, *survey.lookups]}
    for name, file in survey.files.items():
        needed[name] |= set(survey.person if file.key is None else file.key) - {"panel"}
    borrowed = survey.design.borrowed
    own = set(survey.design.columns) - {column for columns in borrowed.values() for column in columns}
    needed[survey.base] |= own | ({survey.waves.panel} if survey.waves.panel else set())
    for name, columns in borrowed.items():
        needed[name] |= set(columns)
    for mapping in survey.variables.values():
        for name, columns, _ in mapping.uses():
            needed[name] |= set(columns)
    for check in survey.checks:
        needed[check.file] |= {check.column, *(check.when or {})}
    for figure in survey.published:
        for reference in (figure.codes, figure.total):
            if reference is not None:
                needed[split(reference)[0]].add(split(reference)[1])
    for name, file in survey.files.items():
        if file.lookup is not None:
            needed[file.lookup.file] |= {file.lookup.by, *file.lookup.columns}
            needed[name] = (needed[name] - set(file.lookup.columns)) | {file.lookup.by}
    return needed


def _file(survey: Survey, name: str) -> File:
    return survey.files[name] if name in survey.files else survey.lookups[name]


def _read_named(path: Path, file: File, columns: set[str]) -> pd.DataFrame:
    return read(path, columns=sorted(columns), format=file.format, layout=file.layout, member=file.member)


def _read_declared(path: Path, file: File, place: Place) -> pd.DataFrame:
    chosen = {name: _source(sources, place) for name, sources in file.columns.items()}
    named = {source.from_ and place.fill(source.from_) for source in chosen.values()} - {None}
    member = file.object or (place.fill(file.member) if file.member else None)
    raw = read(
        path,
        columns=sorted(str(name) for name in named),
        format=file.format,
        layout=file.layout,
        member=member,
    )
    made: dict[str, Any] = {}
    for name, source in chosen.items():
        made[name] = _column(raw, source, place, path)
        if len({other.from_ for other in file.columns[name]} - {None}) > 1:
            made[f"{name}.source"] = place.fill(source.from_ or "")
    return pd.DataFrame(made, index=raw.index)


def _source(sources: list[Source], place: Place) -> Source:
    return next(source for source in sources if place.wave is None or source.covers(place.wave))


def _column(raw: pd.DataFrame, source: Source, place: Place, path: Path) -> Any:
    if source.from_ is None:
        return source.value
    values = raw[place.fill(source.from_)]
    if source.match is not None:
        kept = values.astype(str).str.extract(source.match, expand=False)
        if kept.isna().any():
            stray = values[kept.isna()].iloc[0]
            raise ValueError(
                f"{path}: {source.from_} holds {stray!r}, which has not the declared form {source.match}; "
                "is this the file of that year?"
            )
        values = kept
    if source.drop_prefix is not None:
        values = values.astype(str).str[source.drop_prefix :]
    return values.groupby(values).transform("size") if source.group_size else values


def _look_up(frame: pd.DataFrame, table: pd.DataFrame, by: str, path: Path) -> pd.DataFrame:
    if table[by].duplicated().any():
        raise ValueError(f"the lookup for {path} holds {table[by][table[by].duplicated()].iloc[0]!r} twice in {by}")
    return frame.merge(table, on=by, how="left", validate="many_to_one")
