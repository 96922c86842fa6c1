"""Carries a declared cross-sectional analysis and its variations through: roles, amounts or shares."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from backpain.audit import (
    CURVE,
    FINDINGS,
    REVERSE,
    Ages,
    Amount,
    Exposure,
    Sides,
    backwards,
    dose_response,
    reverse_paths,
    roles,
    share,
    trend,
)
from backpain.design import Design
from backpain.harmonise import judge
from backpain.sampling import linear, weighed
from backpain.spec import Audit, Dose, Figure, Onset, Role, Roles, Shares, Survey, audit_variations, bare

Marks = NDArray[np.bool_]

HEAD = ["survey", "analysis", "variation"]
PUBLISHED = ["published", "published_source", "agrees"]
AUDITS = [*HEAD, *FINDINGS, *PUBLISHED]
DOSES = [*HEAD, *CURVE]
PATHS = [*HEAD, *REVERSE]
OUTCOME = "outcome"


def audit_survey(
    people: pd.DataFrame, skeleton: pd.DataFrame, audit: Audit, survey: Survey
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Findings, curves and undone reverse paths of an audit and of each of its variations.

    Parameters
    ----------
    people
        What `harmonise` returned.
    skeleton
        Every stratum and PSU of the survey.

    Returns
    -------
    findings, curves, reverse : DataFrame
        Columns `AUDITS`, `DOSES` and `PATHS`. A model that cannot be fitted leaves its reason and no number.

    Raises
    ------
    ValueError
        If nobody is in a domain, naming the variation; if a published figure stands beside nothing that was found; and as
        `roles`, `dose_response`, `share` and `backwards` do.
    """
    tables: tuple[list[pd.DataFrame], ...] = ([], [], [])
    for name, plan in audit_variations(audit):
        head = {"survey": survey.name, "analysis": audit.name, "variation": name}
        try:
            found = _carried(people, skeleton, plan, survey)
        except ValueError as error:
            raise ValueError(f"audits/{audit.name}.yaml: {name} in {survey.name}: {error}") from error
        for table, frame in zip(tables, found, strict=True):
            table.append(frame.assign(**head))
    findings, curves, reverse = (pd.concat(table, ignore_index=True) for table in tables)
    findings = _beside(findings, audit)
    return findings[AUDITS], curves[DOSES], reverse[PATHS]


def _carried(
    people: pd.DataFrame, skeleton: pd.DataFrame, plan: Audit, survey: Survey
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    kind = plan.analysis
    frame = _everyone(people, plan, survey)
    design = linear(frame, survey, skeleton)
    domain = _met(frame, {name: test for tests in plan.domain.values() for name, test in tests.items()})
    curve, reverse = pd.DataFrame(columns=CURVE), pd.DataFrame(columns=REVERSE)
    if isinstance(kind, Shares):
        rows = _shares(frame, kind, design, domain)
        return pd.DataFrame(rows, columns=FINDINGS), curve, reverse
    if isinstance(kind, Onset):
        return pd.DataFrame(_onset(frame, kind, survey, skeleton, domain), columns=FINDINGS), curve, reverse
    frame = frame.assign(**{OUTCOME: judge(frame[kind.outcome.variable], kind.outcome.event)})
    known = frame[[OUTCOME, *kind.names]].notna().all(axis=1)
    domain = domain & known.to_numpy(dtype=bool)
    if not domain.any():
        raise ValueError("nobody in the domain has every variable known; widen it")
    frame = frame.assign(**{OUTCOME: frame[OUTCOME].astype("Float64").astype(float)})
    if isinstance(kind, Roles):
        sides = _sides(frame, kind, design, domain)
        rows = roles(sides)
        if kind.reverse is not None:
            size = kind.reverse
            reverse = reverse_paths(sides, size.points, size.odds_ratios, size.draws, size.seed)
    else:
        rows, curve = _dose(frame, kind, design, domain)
    counts = {"people": int(domain.sum()), "events": int(frame.loc[domain, OUTCOME].sum())}
    rows.append(dict.fromkeys(FINDINGS) | {"item": "people", "label": "everyone", "scale": "count", **counts})
    return pd.DataFrame(rows, columns=FINDINGS), curve, reverse


def _beside(findings: pd.DataFrame, audit: Audit) -> pd.DataFrame:
    """The findings with the published figures of the declared analysis beside them, and whether they agree."""
    made = findings.assign(**dict.fromkeys(PUBLISHED, ""))
    for figure in audit.published:
        here = findings["variation"] == "main"
        for name in ("item", "label", "contrast"):
            here &= findings[name].fillna("") == getattr(figure, name)
        if here.sum() != 1:
            told = f"{figure.item}, {figure.label}" + (f", {figure.contrast}" if figure.contrast else "")
            raise ValueError(f"audits/{audit.name}.yaml: published: nothing that was found is «{told}»")
        row = findings[here].iloc[0]
        made.loc[here, PUBLISHED] = [_told(figure), figure.source, _agrees(row, figure)]
    return made


def _told(figure: Figure) -> str:
    if figure.value is None:
        return f"above {figure.above:g}" if figure.above is not None else f"below {figure.below:g}"
    return f"{figure.value:g}" + (f" ({figure.low:g} to {figure.high:g})" if figure.low is not None else "")


def _agrees(row: pd.Series, figure: Figure) -> str:
    """Whether ours lies where a bound says, or its interval holds the published value."""
    if pd.isna(row["estimate"]):
        return "no estimate"
    if figure.value is None:
        above = figure.above is None or row["estimate"] > figure.above
        return "yes" if above and (figure.below is None or row["estimate"] < figure.below) else "no"
    return "yes" if row["low"] <= figure.value <= row["high"] else "no"


def _everyone(people: pd.DataFrame, plan: Audit, survey: Survey) -> pd.DataFrame:
    """Everyone of the first wave with a weight, with `weight` and, of a panel, the next wave's answers as `later.`."""
    component = survey.rarest_weight(plan.variables() - {"panel"})
    first = people[people["order"] == 0].set_index("person")
    first = first[first[f"weight_{component}"] > 0]
    frame = first.assign(**weighed(first, survey, component))
    if isinstance(plan.analysis, Shares):
        names = {name for one in plan.analysis.shares.values() for name in (*one.of, *one.among)}
        later = people[people["order"] == 1].set_index("person").reindex(frame.index)
        for name in names:
            if name.startswith(("first.", "later.")):
                frame[name] = (later if name.startswith("later.") else first)[bare(name)]
    return frame.reset_index()


def _met(frame: pd.DataFrame, tests: dict[str, Any]) -> Marks:
    met = pd.Series(True, index=frame.index)
    for name, test in tests.items():
        met &= judge(frame[name], test).fillna(False).astype(bool)
    return met.to_numpy(dtype=bool)


def _sides(frame: pd.DataFrame, kind: Roles, design: Design, domain: Marks) -> Sides:
    made, exposures = {}, []
    for place, role in (("first", kind.first), ("second", kind.second)):
        column = f"{place} present"
        made[column] = _present(frame, role).astype("Float64").astype(float)
        exposures.append(Exposure(f"{place} exposure", role.label, role.number, column))
    first, second = exposures
    terms = [term.term for term in kind.adjustment]
    return Sides(frame.assign(**made), OUTCOME, first, second, terms, design, domain)


def _present(frame: pd.DataFrame, role: Role) -> pd.Series:
    name, test = next(iter(role.present.items()))
    return judge(frame[name], test)


def _dose(frame: pd.DataFrame, kind: Dose, design: Design, domain: Marks) -> tuple[list[dict[str, Any]], pd.DataFrame]:
    amount = Amount(kind.amount, kind.label, kind.knots, kind.low, kind.high, kind.middle)
    return dose_response(frame, OUTCOME, amount, [term.term for term in kind.adjustment], design, domain)


def _onset(
    frame: pd.DataFrame, kind: Onset, survey: Survey, skeleton: pd.DataFrame, domain: Marks
) -> list[dict[str, Any]]:
    had = _met(frame, kind.had)
    # Whoever had it and does not know since when cannot be placed.
    known = frame[kind.names].notna().all(axis=1).to_numpy(dtype=bool) & ~(had & frame[kind.onset].isna().to_numpy())
    onset = frame[kind.onset].where(had).to_numpy(dtype=float, na_value=np.nan)
    years = frame[kind.drug].astype(object).map(kind.began).to_numpy(dtype=float)
    ages = Ages.of(frame[kind.age].to_numpy(dtype=float), onset, years, kind.first)
    terms = [term.term for term in kind.adjustment]
    return backwards(frame, ages, terms, lambda rows: linear(rows, survey, skeleton), domain & known)


def _shares(frame: pd.DataFrame, kind: Shares, design: Design, domain: Marks) -> list[dict[str, Any]]:
    rows = []
    for key, one in kind.shares.items():
        known = frame[list(one.of)].notna().all(axis=1).to_numpy(dtype=bool)
        among = domain & _met(frame, one.among) & known
        of = _met(frame, one.of)
        rows.append(share(key, one.label, of, among, design))
        if one.trend:
            waves = frame["wave"].astype(str)
            for wave in dict.fromkeys(waves):
                here = among & (waves == wave).to_numpy()
                rows.append(share(key, one.label, of, here, design, wave))
            year = waves.str.slice(0, 4).astype(float)
            rows.append(trend(key, one.label, of, among, year, design))
    return rows


__all__ = ["AUDITS", "DOSES", "PATHS", "audit_survey"]
