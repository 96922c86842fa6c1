"""The declarations of time: trials begun anew at each interview, and rounds within the follow-up."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from backpain.spec.base import Closed

Form = Literal["none", "linear", "quadratic", "categories"]


class Strategy(Closed):
    """One strategy: `initiation` compares what was done at time zero, `sustained` doing it always with never."""

    label: str = Field(max_length=90)
    strategy: Literal["initiation", "sustained"]
    grace: int = Field(0, ge=0)

    @model_validator(mode="after")
    def _grace_is_for_sustained(self) -> Strategy:
        if self.grace and self.strategy != "sustained":
            raise ValueError("`grace` goes with `strategy: sustained` only; initiation looks at time zero alone")
        return self


class Sequence(Closed):
    """Trials of the protocol's own treatment, outcome and eligibility, begun anew at each interview but the last.

    Attributes
    ----------
    ongoing
        Categories of the treatment that mean going on with it, beside those of the treated arm that begin it.
    fixed
        The confounders that do not change; all others are those of the interview that begins the period.
    strategies
        What is compared, by a short name.
    period
        What a period is called, such as `year`.
    truncate
        Shares of the rows' weights below and above which they are cut.
    follow_up, trial, calendar, by_time
        Forms of time in the models: see `backpain.sequence.SequentialTrials`.
    """

    ongoing: list[str] = Field(default_factory=list)
    fixed: list[str]
    strategies: dict[str, Strategy] = Field(min_length=1)
    period: str = Field(max_length=20)
    truncate: tuple[float, float] | None = None
    follow_up: Form = "categories"
    trial: Form = "linear"
    calendar: Form = "linear"
    by_time: Form = "categories"


class Rounds(Closed):
    """Rounds of the follow-up, where it tells in which the outcome was first reported.

    `variable`, of the follow-up wave, names the round; `order` are those of its categories that are rounds, in time. All
    others mean that there was no outcome.
    """

    variable: str
    order: list[str] = Field(min_length=2)


__all__ = ["Rounds", "Sequence", "Strategy"]
