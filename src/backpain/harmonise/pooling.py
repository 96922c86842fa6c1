"""Puts the people of several surveys together as one survey."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from backpain.sampling import places
from backpain.spec import Survey


def pool(people: Mapping[str, pd.DataFrame], survey: Survey, members: Mapping[str, Survey]) -> pd.DataFrame:
    """The people of all members, each weight in proportion to its member's share of the years.

    National Center for Health Statistics 2013 (Vital Health Stat 2(161)): two two-year weights halved are one for four,
    and weights that the agency made for several members together count by the years of all of these.

    Parameters
    ----------
    people
        What `harmonise` returned for each member.
    survey, members
        The declaration of the pool, and those of its members.

    Raises
    ------
    ValueError
        If somebody stands in two members, or strata declared distinct are not.
    """
    if survey.pool is None or survey.period is None:
        raise ValueError(f"{survey.name}: pools nothing; declare `pool:`")
    answered = [name for name, mapping in survey.variables.items() if mapping.unavailable is None]
    parts = []
    for name, frame in people.items():
        weights, years = _weights(members[name], members)
        share = years / survey.period.length
        kept = list(
            dict.fromkeys(["person", "wave", "order", "seen_by", *places(survey), "scale", *weights, *answered])
        )
        part = frame[kept].assign(**{column: frame[taken] * share for column, taken in weights.items()})
        if survey.pool.strata == "separate":
            # PSUs that are not numbered anew in each stratum would stand in strata of two members.
            apart = ["stratum"] if survey.design.nested else ["stratum", "psu"]
            part = part.assign(**{column: name + " " + part[column].astype(str) for column in apart})
        parts.append(part)
    _refuse_shared(dict(zip(people, parts, strict=True)), survey)
    return pd.concat(parts, ignore_index=True)


def _weights(member: Survey, members: Mapping[str, Survey]) -> tuple[dict[str, str], float]:
    """Which column each weight of a member is taken from, and how many years that column stands for."""
    names, jointly = list(member.design.weights), member.design.jointly
    together = [member.name]
    if jointly is not None and member.pooled_jointly(members):
        together += jointly.with_
    taken = "joint" if len(together) > 1 else "weight"
    periods = (members[name].period for name in together)
    years = sum(period.length for period in periods if period is not None)
    return {f"weight_{name}": f"{taken}_{name}" for name in names}, years


def _refuse_shared(parts: dict[str, pd.DataFrame], survey: Survey) -> None:
    columns = {"person": "people", "stratum": "strata"} if survey.pool and survey.pool.strata == "distinct" else {}
    for column, words in {"person": "people", **columns}.items():
        seen: dict[object, str] = {}
        for name, part in parts.items():
            for value in part[column].unique():
                if seen.setdefault(value, name) != name:
                    raise ValueError(
                        f"{survey.name}: {seen[value]} and {name} share {words}, such as {value}; "
                        + ("declare `strata: separate`" if column == "stratum" else "they overlap: leave one out")
                    )


__all__ = ["pool"]
