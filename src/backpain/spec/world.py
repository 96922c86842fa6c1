"""The declaration of a simulated world: how its people are drawn, sampled, followed and asked."""

from __future__ import annotations

from pydantic import Field, model_validator

from backpain.spec.base import Closed

Terms = dict[str, float | dict[str, float]]


class Predictor(Closed):
    """A linear predictor: an intercept, and what each variable adds to it.

    A number adds its coefficient times its distance from the world's `centre`; a category adds the coefficient that is
    given for it (`{smoking: {current: 0.4}}`), those not named add nothing. `stratum` runs from -1 to 1 over the
    strata; `psu` is the standard normal effect that the people of one PSU share; `first.<name>` is a variable at
    baseline and `before.<name>` one at the wave before; a bare name is of the wave itself, as it was before unless the
    follow-up draws it anew.
    """

    intercept: float = 0.0
    terms: Terms = Field(default_factory=dict)


class Draw(Predictor):
    """How one variable is drawn: exactly one of `between`, `spread`, `highest`, `rate`, `categories`, `as_before`.

    between: evenly between two numbers. spread: normal around the predictor, with this standard deviation, kept inside
    `minimum` and `maximum`. highest: a score from 0 to this number, beta-binomial with `evenness` (the larger, the
    nearer to binomial); its mean share is the predictor on the logit. rate: a Poisson count, its mean the exponential
    of the predictor. categories: multinomial logit, one predictor each. as_before: the value of the wave before and so much
    more. `decimals` rounds numbers.
    """

    between: tuple[float, float] | None = None
    spread: float | None = None
    minimum: float | None = None
    maximum: float | None = None
    highest: int | None = None
    evenness: float = 10.0
    rate: bool = False
    categories: dict[str, Predictor] | None = None
    as_before: float | None = None
    decimals: int = 0

    @model_validator(mode="after")
    def _one_kind(self) -> Draw:
        if len(self.kinds) != 1:
            raise ValueError(
                "a variable is drawn in exactly one way: between, spread, highest, rate, categories or as_before; "
                f"found {', '.join(self.kinds) or 'none'}"
            )
        return self

    @property
    def kinds(self) -> list[str]:
        """Every way of drawing that is named; a valid declaration names exactly one."""
        ways = ("between", "spread", "highest", "categories", "as_before")
        return [way for way in ways if getattr(self, way) is not None] + (["rate"] if self.rate else [])

    @property
    def kind(self) -> str:
        """The one way in which the variable is drawn."""
        return self.kinds[0]


class World(Closed):
    """Everything that is true of the made-up people of one survey.

    `sampling` is the logarithm of the relative rate at which people are drawn into the survey; `seen` the log-odds of
    taking part in the next wave (everyone does where there is none); `follow_up` leads from each wave to the next;
    `not_answered` is the share of refused or unknown answers, which depends on nothing.
    """

    population: float
    strata: int
    clusters: int
    centre: dict[str, float] = Field(default_factory=dict)
    baseline: dict[str, Draw]
    sampling: Predictor = Predictor()
    seen: Predictor | None = None
    follow_up: dict[str, Draw] = Field(default_factory=dict)
    not_answered: dict[str, float] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _only_what_was_drawn_before(self) -> World:
        known = {"stratum", "psu"}
        for name, draw in self.baseline.items():
            self._look(f"baseline > {name}", draw, known)
            known.add(name)
        self._look("sampling", self.sampling, known)
        self._look("seen", self.seen or Predictor(), known)
        known |= {f"{when}.{name}" for name in self.baseline for when in ("first", "before")}
        for name, draw in self.follow_up.items():
            self._look(f"follow_up > {name}", draw, known)
            known.add(name)
        strays = sorted(set(self.not_answered) - known)
        if strays:
            raise ValueError(f"not_answered names {strays}, which the world does not draw")
        return self

    def _look(self, where: str, draw: Predictor, known: set[str]) -> None:
        parts = [draw, *(getattr(draw, "categories", None) or {}).values()]
        for name in [name for part in parts for name in part.terms]:
            if name not in known:
                raise ValueError(f"{where}: depends on {name!r}, which is not drawn before it")
        numbers = [n for part in parts for n, c in part.terms.items() if not isinstance(c, dict)]
        for name in numbers:
            if bare(name) not in ("stratum", "psu", *self.centre):
                raise ValueError(f"{where}: {bare(name)!r} enters as a number; give its `centre`")


def bare(name: str) -> str:
    """A variable without the wave that it is looked at in."""
    return name.removeprefix("first.").removeprefix("before.")
