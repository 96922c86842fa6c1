"""Ways in which a two-by-two table may be wrong, each with the formula that undoes it.

Lash, Fox and Fink 2009, Applying Quantitative Bias Analysis, chapters 4 to 6.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike

from backpain.sensitivity.priors import Numbers, Prior, require, together

# ASSUME: sensitivities (and specificities) of two groups come from one instrument, so they are drawn alike
# (Fox, MacLehose and Lash 2021 advise a correlation of 0.8).
CORRELATION = 0.8


@dataclass(frozen=True)
class Cells:
    """Weighted counts of the four cells, (draws,) each or one number."""

    treated_events: Numbers
    treated_others: Numbers
    untreated_events: Numbers
    untreated_others: Numbers

    @property
    def treated(self) -> Numbers:
        return self.treated_events + self.treated_others

    @property
    def untreated(self) -> Numbers:
        return self.untreated_events + self.untreated_others

    @property
    def each(self) -> tuple[Numbers, ...]:
        return self.treated_events, self.treated_others, self.untreated_events, self.untreated_others


class Bias(Protocol):
    """One way in which the data may be wrong."""

    stage: int  # biases are undone last to first as they came about: 0 answers, 1 selection, 2 confounding

    def draw(self, draws: int, generator: np.random.Generator) -> list[Numbers]:
        """(draws,) each of its parameters."""

    def undo(self, cells: Cells, parameters: Sequence[Numbers]) -> Cells:
        """The cells as they were before the bias."""


@dataclass(frozen=True)
class MisclassifiedTreatment:
    """Treatment mistaken for none and none for treatment, with or without regard to the event.

    Attributes
    ----------
    sensitivity, specificity
        Of the record of treatment; among those with the event where the next two are given.
    sensitivity_others, specificity_others
        Among those without the event. None: as among those with it, draw by draw.
    """

    sensitivity: Prior
    specificity: Prior
    sensitivity_others: Prior | None = None
    specificity_others: Prior | None = None
    correlation: float = CORRELATION
    stage: int = 0

    def __post_init__(self) -> None:
        _check_answers(
            "treatment", self.sensitivity, self.specificity, self.sensitivity_others, self.specificity_others
        )

    def draw(self, draws: int, generator: np.random.Generator) -> list[Numbers]:
        """(draws,) sensitivity and specificity with the event, then without."""
        return _draw_answers(self, self.sensitivity_others, self.specificity_others, draws, generator)

    def undo(self, cells: Cells, parameters: Sequence[Numbers]) -> Cells:
        """Move people between the arms, among events and among others."""
        events = _truly(cells.treated_events, cells.untreated_events, *parameters[:2])
        others = _truly(cells.treated_others, cells.untreated_others, *parameters[2:])
        return Cells(events[0], others[0], events[1], others[1])


@dataclass(frozen=True)
class MisclassifiedOutcome:
    """Events missed and events that were none, alike in both arms or not.

    Attributes
    ----------
    sensitivity, specificity
        Of the record of the event; among the treated where the next two are given.
    sensitivity_untreated, specificity_untreated
        Among the untreated. None: as among the treated, draw by draw.
    """

    sensitivity: Prior
    specificity: Prior
    sensitivity_untreated: Prior | None = None
    specificity_untreated: Prior | None = None
    correlation: float = CORRELATION
    stage: int = 0

    def __post_init__(self) -> None:
        others = self.sensitivity_untreated, self.specificity_untreated
        _check_answers("outcome", self.sensitivity, self.specificity, *others)

    def draw(self, draws: int, generator: np.random.Generator) -> list[Numbers]:
        """(draws,) sensitivity and specificity among the treated, then among the untreated."""
        return _draw_answers(self, self.sensitivity_untreated, self.specificity_untreated, draws, generator)

    def undo(self, cells: Cells, parameters: Sequence[Numbers]) -> Cells:
        """Move people between event and none, within each arm."""
        treated = _truly(cells.treated_events, cells.treated_others, *parameters[:2])
        untreated = _truly(cells.untreated_events, cells.untreated_others, *parameters[2:])
        return Cells(*treated, *untreated)


@dataclass(frozen=True)
class Selection:
    """The probability of being in the data at all, in each of the four cells."""

    treated_events: Prior
    treated_others: Prior
    untreated_events: Prior
    untreated_others: Prior
    correlation: float = 0.0
    stage: int = 1

    def __post_init__(self) -> None:
        for name, prior in self._priors().items():
            require(prior, f"selection of {name}")
            if prior.ends[0] == 0 and prior.kind != "beta":
                raise ValueError(f"selection of {name}: the prior reaches 0, whose people nobody can count up to")

    def draw(self, draws: int, generator: np.random.Generator) -> list[Numbers]:
        """(draws,) the probability of each cell."""
        return together(list(self._priors().values()), self.correlation, draws, generator)

    def undo(self, cells: Cells, parameters: Sequence[Numbers]) -> Cells:
        """Count each cell up to those who were never in the data."""
        return Cells(*(cell / share for cell, share in zip(cells.each, parameters, strict=True)))

    def _priors(self) -> dict[str, Prior]:
        names = ("treated_events", "treated_others", "untreated_events", "untreated_others")
        return {name: getattr(self, name) for name in names}


@dataclass(frozen=True)
class UnmeasuredConfounder:
    """A yes-no confounder nobody measured.

    Attributes
    ----------
    prevalence_treated, prevalence_untreated
        How frequent it is in each arm.
    risk_ratio
        How many times the risk it brings, the same in both arms.
    """

    prevalence_treated: Prior
    prevalence_untreated: Prior
    risk_ratio: Prior
    correlation: float = 0.0
    stage: int = 2

    def __post_init__(self) -> None:
        require(self.prevalence_treated, "confounder: prevalence_treated")
        require(self.prevalence_untreated, "confounder: prevalence_untreated")
        require(self.risk_ratio, "confounder: risk_ratio", high=math.inf)
        if self.risk_ratio.ends[0] <= 0 and self.risk_ratio.kind != "log-normal":
            raise ValueError("confounder: risk_ratio reaches 0; a ratio lies above 0")

    def draw(self, draws: int, generator: np.random.Generator) -> list[Numbers]:
        """(draws,) prevalence in each arm, and the risk ratio."""
        prevalences = [self.prevalence_treated, self.prevalence_untreated]
        return together(prevalences, self.correlation, draws, generator) + together(
            [self.risk_ratio], 0.0, draws, generator
        )

    def undo(self, cells: Cells, parameters: Sequence[Numbers]) -> Cells:
        """Give both arms the confounder of everyone: Bross 1966, J Chronic Dis 19:637.

        The ratio is divided by Bross's factor. The share of everyone with the confounder stands between those of the
        arms, so each arm's risk is multiplied by everyone's mean risk over its own.
        """
        one, other, ratio = parameters
        own, others = 1 + one * (ratio - 1), 1 + other * (ratio - 1)
        treated, untreated = cells.treated, cells.untreated
        with np.errstate(invalid="ignore", divide="ignore"):
            every = (treated * own + untreated * others) / (treated + untreated)
        events = cells.treated_events * every / own, cells.untreated_events * every / others
        return Cells(events[0], treated - events[0], events[1], untreated - events[1])


def table_of(treated: ArrayLike, event: ArrayLike, weight: ArrayLike) -> Cells:
    """The weighted two-by-two table.

    Parameters
    ----------
    treated, event
        (people,) yes or no.
    weight
        (people,) survey weight; 0 for who does not count.

    Raises
    ------
    ValueError
        For something missing or negative among those who count.
    """
    weights = np.asarray(weight, dtype=float)
    if not np.isfinite(weights).all() or (weights < 0).any():
        raise ValueError("weight: missing, infinite or negative for somebody; leave them out or give weight 0")
    arm, happened = (np.asarray(column, dtype=float) for column in (treated, event))
    for name, column in (("treated", arm), ("event", happened)):
        if not np.isin(column[weights > 0], (0.0, 1.0)).all():
            raise ValueError(f"{name}: must be yes or no for everyone with a weight; leave the others out")
    kept = weights > 0
    place = (2 * (1 - arm[kept]) + (1 - happened[kept])).astype(int)
    return Cells(*np.bincount(place, weights[kept], minlength=4).reshape(4, 1))


def _truly(yes: Numbers, no: Numbers, sensitivity: Numbers, specificity: Numbers) -> tuple[Numbers, Numbers]:
    """How many truly are and are not, from how many are said to be; missing where the record says nothing.

    Lash, Fox and Fink 2009, chapter 6: (said - (1 - Sp) all) / (Se + Sp - 1).
    """
    informative = sensitivity + specificity - 1
    everyone = yes + no
    with np.errstate(invalid="ignore", divide="ignore"):
        # A record worse than chance would turn yes and no over.
        truly = np.where(informative > 0, (yes - (1 - specificity) * everyone) / informative, np.nan)
    return truly, everyone - truly


def _check_answers(
    name: str, sensitivity: Prior, specificity: Prior, other_sensitivity: Prior | None, other_specificity: Prior | None
) -> None:
    priors = (sensitivity, specificity, other_sensitivity, other_specificity)
    labels = ("sensitivity", "specificity", "sensitivity of the others", "specificity of the others")
    for label, prior in zip(labels, priors, strict=True):
        if prior is not None:
            require(prior, f"{name}: {label}")
    for one, other in (
        (sensitivity, specificity),
        (other_sensitivity or sensitivity, other_specificity or specificity),
    ):
        if one.ends[1] + other.ends[1] <= 1:
            raise ValueError(f"{name}: sensitivity and specificity never exceed 1 together; such a record says nothing")


def _draw_answers(
    bias: MisclassifiedTreatment | MisclassifiedOutcome,
    sensitivity_others: Prior | None,
    specificity_others: Prior | None,
    draws: int,
    generator: np.random.Generator,
) -> list[Numbers]:
    """Sensitivity and specificity of one group, then of the other: correlated, or the same where none is given."""
    drawn = []
    for prior, other in ((bias.sensitivity, sensitivity_others), (bias.specificity, specificity_others)):
        both = together([prior] if other is None else [prior, other], bias.correlation, draws, generator)
        drawn.append((both[0], both[-1]))
    return [drawn[0][0], drawn[1][0], drawn[0][1], drawn[1][1]]


__all__ = [
    "CORRELATION",
    "Bias",
    "Cells",
    "MisclassifiedOutcome",
    "MisclassifiedTreatment",
    "Selection",
    "UnmeasuredConfounder",
    "table_of",
]
