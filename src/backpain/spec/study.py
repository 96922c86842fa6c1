"""Declarations of simulation studies: made-up populations in which the truth is known, and who is tried on them."""

from __future__ import annotations

from pydantic import Field, model_validator

from backpain.spec.analysis import Estimator
from backpain.spec.base import Closed
from backpain.spec.yaml import nearest


class Scenario(Closed):
    """One population, and how it is sampled. Effects are log-odds.

    Attributes
    ----------
    effect, effect_of_first
        Of treatment on the outcome, and how much more of it there is per unit of the first covariate.
    risk, treated
        Intercepts of outcome and treatment.
    confounding
        By how much the covariates' effects on treatment are multiplied; 0: treatment is at random.
    overlap
        By how much all of the treatment model but its intercept is multiplied; above 1 arms overlap less.
    treatment_curve, outcome_curve
        Effect of the first covariate's square less 1, which no model knows of: 0 where the model is right.
    attrition
        By how much the effects on being lost are multiplied; 0: nobody is lost.
    alike
        Correlation of the latent propensities of two people of one PSU, for treatment and for outcome.
    people, strata, clusters
        Sampled; clusters are PSUs in each stratum.
    """

    effect: float = -0.4
    effect_of_first: float = 0.0
    risk: float = -1.6
    treated: float = 0.2
    confounding: float = 1.0
    overlap: float = 1.0
    treatment_curve: float = 0.0
    outcome_curve: float = 0.0
    attrition: float = 0.0
    alike: float = Field(0.02, ge=0, lt=1)
    people: int = Field(3000, ge=200)
    strata: int = Field(62, ge=2)
    clusters: int = Field(2, ge=2)


class Refitted(Closed):
    """Where standard errors come from bootstrap weights too, every model fitted again in each replicate."""

    replicates: int = Field(200, ge=20)
    scenarios: list[str]
    estimators: list[Estimator]


class Study(Closed):
    """A simulation study: aims, data-generating mechanisms, estimands, methods, performance (Morris and others 2019).

    The truth of every estimator's own estimand is found in `truth_people` of each population. `base` is what scenarios
    change. As many repetitions make a job as `chunk` says.
    """

    name: str
    aims: str
    seed: int
    repetitions: int = Field(ge=2)
    chunk: int = Field(ge=1)
    truth_people: int = Field(ge=10_000)
    estimators: list[Estimator]
    refitted: Refitted | None = None
    base: Scenario = Scenario()
    scenarios: dict[str, dict[str, float]]

    @model_validator(mode="after")
    def _whole(self) -> Study:
        for name in self.scenarios:
            self.scenario(name)
        if self.refitted is not None:
            for name in self.refitted.scenarios:
                if name not in self.scenarios:
                    raise ValueError(f"refitted: {name!r} is none of the scenarios{nearest(name, self.scenarios)}")
            if strays := set(self.refitted.estimators) - set(self.estimators):
                raise ValueError(f"refitted: {', '.join(sorted(strays))} are none of the study's estimators")
        if self.repetitions % self.chunk:
            raise ValueError(f"repetitions: {self.repetitions} is no multiple of chunk, {self.chunk}; make it one")
        return self

    @property
    def jobs(self) -> int:
        """How many jobs share the repetitions of a scenario."""
        return self.repetitions // self.chunk

    def scenario(self, name: str) -> Scenario:
        """One scenario: the base with what it changes."""
        return Scenario.model_validate({**self.base.model_dump(), **self.scenarios[name]})
