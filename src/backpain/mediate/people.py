"""The people of a mediation analysis as arrays, and what is refused."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from backpain.regression import Term, design_matrix

Numbers = NDArray[np.float64]
Marks = NDArray[np.bool_]
ARMS = ((True, "treated"), (False, "untreated"))


@dataclass(frozen=True)
class People:
    """Everyone eligible, as arrays.

    Attributes
    ----------
    weight
        (people,) survey weight.
    treated
        (people,) which arm.
    known
        (people,) whether all is known: that they were no longer at risk when the mediator was measured, or that they
        were, with mediator and outcome. The others are lost, and those known stand for them.
    counted
        (people,) known and at risk.
    mediator, event
        (people,) 0 for those not counted.
    binary
        Whether the mediator is yes or no.
    baseline, columns
        (people, k) model matrix of the confounders with its intercept, and its names.
    later, later_columns
        (people, q) model matrix, without intercept, of causes of mediator and outcome after treatment; 0 for those not
        counted.
    """

    weight: Numbers
    treated: Marks
    known: Marks
    counted: Marks
    mediator: Numbers
    event: Numbers
    binary: bool
    baseline: Numbers
    columns: list[str]
    later: Numbers
    later_columns: list[str]

    @property
    def several(self) -> bool:
        """Whether there are causes of mediator and outcome after treatment."""
        return self.later.shape[1] > 0


def people_of(
    frame: pd.DataFrame, terms: Sequence[Term], later: Sequence[Term] = (), mediator: str = "binary"
) -> People:
    """Read and check the people of a mediation analysis.

    Parameters
    ----------
    frame
        One row per person: weight; treated; at_risk (no outcome before the mediator was measured; missing where unknown);
        mediator (0 or 1, or a number); event (after the mediator); the variables of the terms, without missing values.
    terms
        Confounders of treatment, mediator and outcome, at baseline.
    later
        Confounders of mediator and outcome that come after treatment and may be changed by it.
    mediator
        `binary` or `score`.

    Raises
    ------
    ValueError
        For a mediator that is known of nobody, or the same for everyone in an arm; for outcomes that all came before it, or
        are the same for everyone; an empty arm; weights that are not positive; a mediator of another kind.
    """
    if mediator not in ("binary", "score"):
        raise ValueError(f"mediator {mediator!r}: choose `binary` or `score`")
    if mediator == "score" and len(later):
        raise ValueError("later: causes after treatment go with a binary mediator only; declare a cut of the score")
    weight = frame["weight"].to_numpy(dtype=float, na_value=np.nan)
    if not (np.isfinite(weight) & (weight > 0)).all():
        raise ValueError("weight: somebody has none above zero; leave them out, in a box of the flow")
    treated = frame["treated"].to_numpy(dtype=bool)
    score = frame["mediator"].to_numpy(dtype=float, na_value=np.nan)
    event = frame["event"].to_numpy(dtype=float, na_value=np.nan)
    free = frame["at_risk"].astype("boolean")
    at_risk, gone = free.fillna(False).to_numpy(dtype=bool), (~free).fillna(False).to_numpy(dtype=bool)
    if len(later):
        at_risk = at_risk & frame[[_name(term) for term in later]].notna().all(axis=1).to_numpy()
    counted = at_risk & np.isfinite(score) & np.isfinite(event)
    _refuse(score, event, treated, at_risk, gone, counted, mediator)
    baseline, columns = design_matrix(frame, terms)
    after, names = np.zeros((len(frame), 0)), ["intercept"]
    if len(later):
        part, names = design_matrix(frame[counted], later)
        after = np.zeros((len(frame), part.shape[1] - 1))
        after[counted] = part[:, 1:]
    return People(
        weight=weight,
        treated=treated,
        known=counted | gone,
        counted=counted,
        mediator=np.where(counted, score, 0.0),
        event=np.where(counted, event, 0.0),
        binary=mediator == "binary",
        baseline=baseline,
        columns=columns,
        later=after,
        later_columns=names[1:],
    )


def _name(term: Term) -> str:
    return term if isinstance(term, str) else str(term["variable"])


def _refuse(
    score: Numbers, event: Numbers, treated: Marks, at_risk: Marks, gone: Marks, counted: Marks, kind: str
) -> None:
    if not np.isfinite(score).any():
        raise ValueError("mediator: missing for everyone; there is nothing to go through")
    if gone.any() and not at_risk.any():
        raise ValueError(
            "at_risk: everybody had the outcome before the mediator was measured; nobody is left to follow"
        )
    if kind == "binary" and not np.isin(score[counted], (0.0, 1.0)).all():
        raise ValueError("mediator: must be 0 or 1; give a cut, or take it as a `score`")
    for arm, words in ARMS:
        mine = counted & (treated == arm)
        if not mine.any():
            raise ValueError(
                f"mediator: known with the outcome of nobody {words} and at risk; the contrast needs both arms"
            )
        if np.ptp(score[mine]) == 0:
            raise ValueError(
                f"mediator: {score[mine][0]:g} for everyone {words}, so that no outcome shows under another; choose another "
                "cut, or another mediator"
            )
    if np.ptp(event[counted]) == 0:
        raise ValueError(f"event: {event[counted][0]:g} for everyone at risk after the mediator; nothing can differ")
