"""Declarations of the cross-sectional analyses that claims are held against: roles, amounts, shares."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from backpain.spec.analysis import Outcome, Term, terms_of
from backpain.spec.base import Closed
from backpain.spec.survey import Tests


class Role(Closed):
    """One of two exposures: the number it is measured by, if it is, and the one test of who has it."""

    label: str = Field(max_length=40)
    number: str | None = None
    present: dict[str, Tests] = Field(min_length=1, max_length=1)


class Reverse(Closed):
    """How much the outcome is supposed to have changed the exposures: every pair of these sizes is undone by simulation.

    `points` that it raised the first number by, `odds_ratios` by which it lowered the second mark.
    """

    points: list[float] = Field(min_length=1)
    odds_ratios: list[float] = Field(min_length=1)
    draws: int = Field(20, ge=2)
    seed: int

    @field_validator("odds_ratios")
    @classmethod
    def _at_most_one(cls, value: list[float]) -> list[float]:
        if not all(0 < ratio <= 1 for ratio in value):
            raise ValueError("an odds ratio by which the outcome lowered the mark lies above 0 and is at most 1")
        return value


class Roles(Closed):
    """Two exposures side by side in one model of an outcome."""

    kind: Literal["roles"]
    outcome: Outcome
    first: Role
    second: Role
    adjustment: list[Term]
    reverse: Reverse | None = None
    _bare_names = field_validator("adjustment", mode="before")(terms_of)

    @model_validator(mode="after")
    def _points_of_a_number(self) -> Roles:
        if self.reverse is not None and self.first.number is None:
            raise ValueError("reverse: points are taken off a number, and the first exposure has none")
        return self

    @property
    def names(self) -> list[str]:
        """Every variable of the model but the outcome."""
        exposures = [name for role in (self.first, self.second) for name in (role.number, *role.present)]
        return list(dict.fromkeys([*filter(None, exposures), *(term.variable for term in self.adjustment)]))


class Dose(Closed):
    """The risk of an outcome along an amount. With a `middle` also whether it is lower there than at both ends.

    `knots` are those of a restricted cubic spline, or how many (3 to 7) stand where Harrell puts them.
    """

    kind: Literal["dose"]
    outcome: Outcome
    amount: str
    label: str = Field(max_length=60)
    knots: int | list[float] = 4
    low: float
    middle: float | None = None
    high: float
    adjustment: list[Term]
    _bare_names = field_validator("adjustment", mode="before")(terms_of)

    @model_validator(mode="after")
    def _in_order(self) -> Dose:
        points = [point for point in (self.low, self.middle, self.high) if point is not None]
        if points != sorted(set(points)):
            raise ValueError("low, middle and high must be in this order")
        return self

    @property
    def names(self) -> list[str]:
        """Every variable of the model but the outcome."""
        return list(dict.fromkeys([self.amount, *(term.variable for term in self.adjustment)]))


class Share(Closed):
    """Who meets the tests `of` among those who meet `among`; `first.` and `later.` name a panel's waves."""

    label: str = Field(max_length=90)
    of: dict[str, Tests] = Field(min_length=1)
    among: dict[str, Tests] = Field(default_factory=dict)
    trend: bool = False


class Shares(Closed):
    """Shares of people among people."""

    kind: Literal["shares"]
    shares: dict[str, Share] = Field(min_length=1)

    @field_validator("shares")
    @classmethod
    def _one_followed(cls, value: dict[str, Share]) -> dict[str, Share]:
        if sum(share.trend for share in value.values()) > 1:
            raise ValueError(
                "one share at most is followed over the waves (`trend: true`); give another audit the others"
            )
        return value

    @property
    def names(self) -> list[str]:
        """Every variable tested, without the wave."""
        tests = [name for one in self.shares.values() for name in (*one.of, *one.among)]
        return list(dict.fromkeys(bare(name) for name in tests))


class Onset(Closed):
    """A cohort seen backwards from ages at onset, to show what time before a drug does to its rates; never an answer.

    `had` tests who ever had the outcome, `onset` is the age it began at. `began` gives for each category of a variable the
    years that the drug has been taken, or null for those who do not take it. People are followed back to the age `first`.
    """

    kind: Literal["onset"]
    label: str = Field(max_length=60)
    had: dict[str, Tests] = Field(min_length=1, max_length=1)
    onset: str
    age: str = "age"
    drug: str
    began: dict[str, float | None] = Field(min_length=2)
    first: int = Field(ge=0)
    adjustment: list[Term]
    _bare_names = field_validator("adjustment", mode="before")(terms_of)

    @property
    def names(self) -> list[str]:
        """Every variable that has to be known; the age at onset is not known of those who never had it."""
        return list(dict.fromkeys([*self.had, self.age, self.drug, *(term.variable for term in self.adjustment)]))


class Figure(Closed):
    """A published figure to stand beside a finding: a value with its interval, or the least or most it is said to be."""

    item: str
    label: str
    contrast: str = ""
    value: float | None = None
    low: float | None = None
    high: float | None = None
    above: float | None = None
    below: float | None = None
    source: str

    @model_validator(mode="after")
    def _one(self) -> Figure:
        if sum(given is not None for given in (self.value, self.above, self.below)) != 1:
            raise ValueError("give one of `value`, `above` and `below`")
        if (self.low is None) != (self.high is None) or (self.low is not None and self.value is None):
            raise ValueError("an interval has `low` and `high`, and belongs to a `value`")
        return self


def bare(name: str) -> str:
    """A tested variable without the wave before it."""
    return name.removeprefix("first.").removeprefix("later.")


Kind = Annotated[Roles | Dose | Shares | Onset, Field(discriminator="kind")]


class Audit(Closed):
    """One cross-sectional analysis and its variations, which override parts of it. Nothing in it is an effect."""

    name: str
    title: str
    question: str
    analysis: Kind
    domain: dict[str, dict[str, Tests]] = Field(default_factory=dict)
    variations: dict[str, dict[str, Any]] = Field(default_factory=dict)
    published: list[Figure] = Field(default_factory=list)
    assumptions: list[str] = Field(default_factory=list)
    limits: list[str] = Field(default_factory=list)

    def variables(self) -> set[str]:
        """Every variable the analysis uses."""
        kind = self.analysis
        outcome = {kind.onset} if isinstance(kind, Onset) else set()
        outcome |= {kind.outcome.variable} if isinstance(kind, Roles | Dose) else set()
        return {*outcome, *self.analysis.names, *(name for tests in self.domain.values() for name in tests)}


__all__ = ["Audit", "Dose", "Figure", "Onset", "Reverse", "Role", "Roles", "Share", "Shares", "bare"]
