"""Declarations of doubt: outcomes that nothing should change, and how wrong the data might be."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, model_validator

from backpain.spec.base import Closed
from backpain.spec.survey import Tests


class Control(Closed):
    """An outcome that neither treatment nor what is treated should change, and why; or one set beside the answer.

    `codes` are whole lists of codes by the column that holds them; without them the survey answers for a variable of
    this name itself. `only` says whose outcome it can be, `kind` what to leave out together.
    """

    label: str
    kind: str
    codes: dict[str, list[str]] | None = None
    only: dict[str, Tests] = Field(default_factory=dict)
    because: str
    reference: str
    doubt: str | None = None


class Controls(Closed):
    """A list of negative controls, outcomes to compare with, and what was thought of and left out."""

    controls: dict[str, Control] = Field(min_length=4)
    comparisons: dict[str, Control] = Field(default_factory=dict)
    left_out: dict[str, str] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _once(self) -> Controls:
        both = sorted(set(self.controls) & set(self.comparisons))
        if both:
            raise ValueError(f"comparisons: {', '.join(both)} is among the controls too; leave it in one")
        return self

    @property
    def all(self) -> dict[str, Control]:
        """Controls, then comparisons."""
        return {**self.controls, **self.comparisons}


class Calibration(Closed):
    """Which list of controls a trial is run on, and how the distribution of systematic error is fitted to them.

    `replace` names boxes of the trial's eligibility that do not apply to other outcomes.
    """

    controls: str
    ratio: Literal["risk-ratio", "odds-ratio"] = "risk-ratio"
    penalty: Literal["none", "gamma", "half-normal"] = "half-normal"
    replace: list[str] = Field(default_factory=list)


class Belief(Closed):
    """What is believed of one number: exactly one of the forms that `backpain.sensitivity.Prior` takes."""

    fixed: float | None = None
    uniform: tuple[float, float] | None = None
    trapezoidal: tuple[float, float, float, float] | None = None
    beta: tuple[float, float] | None = None
    log_normal: tuple[float, float] | None = Field(None, alias="log-normal")

    @model_validator(mode="after")
    def _one_form(self) -> Belief:
        if len(self.model_fields_set) != 1:
            raise ValueError("give one of fixed, uniform, trapezoidal, beta, log-normal")
        return self

    @property
    def form(self) -> tuple[str, tuple[float, ...]]:
        """Its kind and its numbers."""
        (name,) = self.model_fields_set
        value: Any = getattr(self, name)
        return name.replace("_", "-"), (float(value),) if name == "fixed" else tuple(map(float, value))


# What each bias is told by, and what may be told besides.
NEEDED = {
    "misclassified-treatment": ["sensitivity", "specificity"],
    "misclassified-outcome": ["sensitivity", "specificity"],
    "selection": ["treated_events", "treated_others", "untreated_events", "untreated_others"],
    "unmeasured-confounder": ["prevalence_treated", "prevalence_untreated", "risk_ratio"],
}
OPTIONAL = {
    "misclassified-treatment": ["sensitivity_others", "specificity_others"],
    "misclassified-outcome": ["sensitivity_untreated", "specificity_untreated"],
}


class Bias(Closed):
    """One way in which the data may be wrong, with what is believed of its size, and why."""

    kind: Literal["misclassified-treatment", "misclassified-outcome", "selection", "unmeasured-confounder"]
    beliefs: dict[str, Belief]
    correlation: float | None = Field(None, ge=-1, le=1)
    because: str

    @model_validator(mode="after")
    def _told_by(self) -> Bias:
        needed, optional = NEEDED[self.kind], OPTIONAL.get(self.kind, [])
        absent = [name for name in needed if name not in self.beliefs]
        strays = [name for name in self.beliefs if name not in [*needed, *optional]]
        if absent or strays:
            words = [f"lacks {', '.join(absent)}"] * bool(absent) + [f"has {', '.join(strays)} too"] * bool(strays)
            raise ValueError(f"beliefs: {self.kind} {' and '.join(words)}; it takes {', '.join([*needed, *optional])}")
        return self


class Sensitivity(Closed):
    """Probabilistic bias analyses of the declared analysis, each undoing the named biases together."""

    seed: int
    draws: int = Field(50_000, ge=1_000)
    biases: dict[str, Bias]
    analyses: dict[str, list[str]]

    @model_validator(mode="after")
    def _named(self) -> Sensitivity:
        strays = [name for names in self.analyses.values() for name in names if name not in self.biases]
        if strays:
            raise ValueError(
                f"analyses: {', '.join(dict.fromkeys(strays))} is no declared bias; declare it in `biases`"
            )
        return self
