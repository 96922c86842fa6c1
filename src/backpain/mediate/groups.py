"""Treated or not, remitted or not: four groups, described. Who remits is known only after treatment, so no two of them
are comparable, and no difference between them is an effect."""

from __future__ import annotations

import numpy as np
import pandas as pd

from backpain.design import Sampling, proportions

FOUR = [
    "arm", "mediator", "people", "weighted_people", "events", "risk", "se", "low", "high", "design_df", "rule",
]  # fmt: skip


def four_groups(
    frame: pd.DataFrame, design: Sampling, words: tuple[str, str] = ("remitted", "symptomatic")
) -> pd.DataFrame:
    """People and risk of the four groups, with intervals of Korn and Graubard: a description.

    Parameters
    ----------
    frame
        As in `people_of`, with a mediator of 0 or 1. Those not known, or no longer at risk when the mediator was measured,
        are in no group.
    design
        Of the rows of the frame; the groups are domains of it. Its weights count as they are: nobody is weighted for
        being known.
    words
        What a mediator of 1 and of 0 is called.

    Returns
    -------
    Rows with the columns `FOUR`, in the order treated and untreated, 1 and 0. A group of nobody has a count of 0 and no
    risk. `rule` is what the presentation standard of the NCHS says of the risk: show, review or suppress. Counts are as
    they are: small ones have to be hidden before they are shown.
    """
    mediator = frame["mediator"].to_numpy(dtype=float, na_value=np.nan)
    event = frame["event"].to_numpy(dtype=float, na_value=np.nan)
    counted = frame["at_risk"].astype("boolean").fillna(False).to_numpy(dtype=bool)
    counted &= np.isfinite(mediator) & np.isfinite(event)
    treated = frame["treated"].to_numpy(dtype=bool)
    group = np.where(treated, 0, 2) + np.where(mediator == 1, 0, 1)
    found = proportions(np.where(counted, event, 0.0), design, np.where(counted, group, -1), domain=counted)
    table = found.table().set_index("domain")
    weight = frame["weight"].to_numpy(dtype=float)
    rows = []
    for place in range(4):
        mine = counted & (group == place)
        row = {
            "arm": "treated" if place < 2 else "untreated",
            "mediator": words[place % 2],
            "people": int(mine.sum()),
            "weighted_people": float(weight[mine].sum()),
            "events": int(event[mine].sum()),
        }
        if mine.any():
            line = table.loc[place]
            row |= {
                "risk": line["estimate"],
                **{name: line[name] for name in ("se", "low", "high")},
                "design_df": int(line["df"]),
                "rule": line["rule"],
            }
        rows.append(row)
    return pd.DataFrame(rows, columns=FOUR)
