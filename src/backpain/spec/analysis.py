"""Declarations of analyses: the variables they share, target trials, associations, claims and runs."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from backpain.spec.base import Closed
from backpain.spec.doubt import Calibration, Sensitivity
from backpain.spec.sequence import Rounds, Sequence
from backpain.spec.survey import Tests


class Variable(Closed):
    """A variable every survey may answer: its label, and its categories or its unit and range."""

    label: str
    categories: dict[str, str] | None = None
    unit: str | None = None
    minimum: float | None = None
    maximum: float | None = None
    source: str | None = None

    @model_validator(mode="after")
    def _category_or_number(self) -> Variable:
        if (self.categories is None) == (self.unit is None):
            raise ValueError("give `categories` (code: label) or `unit` with `minimum` and `maximum`")
        if self.unit is not None and (self.minimum is None or self.maximum is None):
            raise ValueError("a number needs `minimum` and `maximum`, the range a value can have at all")
        return self

    @property
    def kind(self) -> Literal["category", "number"]:
        """Category or number."""
        return "category" if self.categories is not None else "number"


class Term(Closed):
    """A confounder and the form in which it enters the models; a bare name is a category or a straight line.

    `spline` is natural with `df` columns; `restricted-cubic-spline` has 3 to 7 `knots` where Harrell puts them.
    """

    variable: str
    as_: Literal["linear", "spline", "restricted-cubic-spline", "square-root", "log1p"] = Field("linear", alias="as")
    df: int = 4
    knots: int = Field(4, ge=3, le=7)

    @property
    def term(self) -> str | dict[str, Any]:
        """As `regression.coding_of` takes it."""
        if self.as_ == "linear":
            return self.variable
        size = {"knots": self.knots} if self.as_ == "restricted-cubic-spline" else {"df": self.df}
        return {"variable": self.variable, "as": self.as_.replace("restricted-cubic-", "restricted cubic "), **size}


class Treatment(Closed):
    """The two strategies, as categories of one variable at time zero."""

    variable: str
    treated: list[str]
    untreated: list[str]

    @model_validator(mode="after")
    def _arms_do_not_overlap(self) -> Treatment:
        both = set(self.treated) & set(self.untreated)
        if both:
            raise ValueError(f"the arms overlap: {sorted(both)} is in `treated` and in `untreated`; leave it in one")
        return self


def terms_of(value: Any) -> Any:
    if not isinstance(value, list):
        return value
    return [{"variable": item} if isinstance(item, str) else item for item in value]


class Imputation(Closed):
    """How missing confounders are imputed: by chained equations, under the sampling design.

    Every model holds the confounders, the treatment, the outcome and their product, the survey weight, the panel and
    a random intercept for each PSU (or stratum). `helped_by` names further variables that help to predict; `by`
    overrides the method of a variable; `jobs` is how many jobs share the imputations.
    """

    m: int = Field(20, ge=2)
    iterations: int = Field(10, ge=4)
    seed: int
    donors: int = Field(5, ge=1)
    design_effects: Literal["psu", "stratum", "none"] = "psu"
    panels: Literal["effects", "within"] = "effects"
    helped_by: list[str] = Field(default_factory=list)
    by: dict[str, Literal["logistic", "multinomial", "predictive-mean-matching", "normal"]] = Field(
        default_factory=dict
    )
    jobs: int = Field(1, ge=1)


class Assignment(Closed):
    """What makes the arms comparable: the confounders adjusted for, measured before treatment.

    `missing` says what is done about people who lack one: left out (`complete-case`), `imputed` as `imputation`
    says, or left out with the others weighted up by `response`, the terms of the model of who lacks none.
    `interactions` are pairs of confounders whose product enters too.
    """

    confounders: list[Term]
    interactions: list[tuple[str, str]] = Field(default_factory=list)
    because: str | None = None
    missing: Literal["complete-case", "imputed", "weighted"] = "complete-case"
    imputation: Imputation | None = None
    response: list[str] | None = None
    _bare_names = field_validator("confounders", mode="before")(terms_of)

    @model_validator(mode="after")
    def _as_declared(self) -> Assignment:
        strays = [name for pair in self.interactions for name in pair if name not in self.names]
        if strays:
            raise ValueError(f"interactions: {', '.join(strays)} is no confounder; name it among them first")
        for way, key in (("imputed", "imputation"), ("weighted", "response")):
            if (self.missing == way) != (getattr(self, key) is not None):
                raise ValueError(f"`missing: {way}` and `{key}` go together")
        return self

    @property
    def helpers(self) -> list[str]:
        """Variables that are no confounders and serve the imputation or the response model alone."""
        named = [*(self.imputation.helped_by if self.imputation else []), *(self.response or [])]
        return [name for name in dict.fromkeys(named) if name not in self.names]

    @property
    def names(self) -> list[str]:
        """The confounders' names."""
        return [term.variable for term in self.confounders]

    @property
    def terms(self) -> list[str | dict[str, Any]]:
        """The confounders as terms of a model, and their interactions."""
        pairs: list[str | dict[str, Any]] = [{"interaction": list(pair)} for pair in self.interactions]
        return [*(term.term for term in self.confounders), *pairs]


class FollowUp(Closed):
    """How long people are followed, who counts as followed, and what is done about those lost."""

    waves: int = Field(1, ge=1)
    seen_by: list[str] | None = None
    lost: Literal["weighted", "complete"] = "weighted"
    length: str


class Outcome(Closed):
    """The outcome in the follow-up wave; the baseline must be free of it by the eligibility."""

    variable: str
    event: list[str]
    label: str


# The names of `backpain.estimate.ESTIMATORS`, which needs packages that declarations are read without.
Estimator = Literal[
    "unadjusted",
    "weighting",
    "weighting-truncated",
    "overlap-weighting",
    "entropy-balancing",
    "standardisation",
    "standardisation-by-arm",
    "doubly-robust",
    "targeted",
    "doubly-robust-learned",
    "targeted-learned",
    "logistic",
]


class Estimand(Closed):
    """The causal contrast."""

    contrast: Literal["risk-difference", "risk-ratio"] = "risk-difference"
    population: Literal["everyone", "treated", "untreated"] = "everyone"
    switching: Literal["treatment-policy"] = "treatment-policy"


class Gate(Closed):
    """Thresholds an estimate has to meet before it is shown as an answer."""

    largest_smd: float
    least_overlap: float
    smallest_arm: int


class Variance(Closed):
    """How standard errors are found: linearised with every model carried through, or from replicate weights.

    `given` are those that the survey provides. `bootstrap` (Rao, Wu and Yue) takes `replicates` and a `seed`; `jkn`
    leaves out one PSU at a time; `brr` and `fay` (with `rho`) need two PSUs in every stratum. Every model is fitted again
    in every replicate, by as many threads as there are `workers`.
    """

    method: Literal["linearised", "given", "bootstrap", "jkn", "brr", "fay"] = "linearised"
    replicates: int | None = Field(None, ge=2)
    seed: int | None = None
    rho: float | None = Field(None, ge=0, lt=1)
    workers: int = Field(1, ge=1)

    @model_validator(mode="after")
    def _what_the_method_takes(self) -> Variance:
        takes = {"bootstrap": {"replicates", "seed"}, "fay": {"rho"}}.get(self.method, set())
        given = {name for name in ("replicates", "seed", "rho") if getattr(self, name) is not None}
        if given != takes:
            words = " and ".join(f"`{name}`" for name in sorted(takes)) or "nothing else"
            raise ValueError(f"`method: {self.method}` takes {words}")
        if self.method == "linearised" and self.workers > 1:
            raise ValueError("`workers` share refits, and `method: linearised` makes none")
        return self

    @property
    def resampling(self) -> dict[str, Any] | None:
        """The arguments of `design.replicated`; None where no replicates are made here."""
        if self.method in ("linearised", "given"):
            return None
        told = self.model_dump(exclude_none=True)
        return {"kind": told.pop("method"), **told}


class Panels(Closed):
    """Which panels take part: a list, all but some, or one."""

    only: list[int] | None = None
    leave_out: list[int] | None = None


class Series(Closed):
    """Variations made by the dozen: each panel left out, or each panel alone (a description only)."""

    leave_one_panel_out: bool = False
    single_panels: bool = False


class Multiverse(Closed):
    """The declared grid of defensible choices: one option of each choice, by each estimator, is one specification.

    An option names what it changes in the protocol, as a variation does; `{}` is as declared. The joint tests draw
    `replicates` bootstraps of the survey's PSUs, the same for every specification; as many jobs as `jobs` share them.
    """

    choices: dict[str, dict[str, dict[str, Any]]]
    estimators: list[Estimator]
    replicates: int = Field(ge=20)
    seed: int
    jobs: int = Field(1, ge=1)

    @model_validator(mode="after")
    def _has_choices(self) -> Multiverse:
        few = [name for name, options in self.choices.items() if len(options) < 2]
        if few:
            raise ValueError(f"choices > {', '.join(few)}: a choice has two options or more")
        first = [name for name, options in self.choices.items() if next(iter(options.values()))]
        if first:
            raise ValueError(f"choices > {', '.join(first)}: the first option is as declared; write {{}}")
        other = [name for name in self.estimators if name in ("overlap-weighting", "logistic", "unadjusted")]
        if other:
            raise ValueError(f"estimators: {', '.join(other)} estimate something else; a multiverse has one estimand")
        slow = [name for name in self.estimators if name.endswith("-learned")]
        if slow:
            raise ValueError(f"estimators: {', '.join(slow)} cannot be learned anew in every bootstrap draw")
        return self


class Order(Closed):
    """From which month to which treatment, mediator and outcome are measured, on the scale of `windows`."""

    treatment: tuple[float, float]
    mediator: tuple[float, float]
    outcome: tuple[float, float]

    @model_validator(mode="after")
    def _one_after_another(self) -> Order:
        for first, then in (("treatment", "mediator"), ("mediator", "outcome")):
            ends, begins = getattr(self, first)[1], getattr(self, then)[0]
            if ends > begins:
                raise ValueError(
                    f"the {first} is measured to month {ends:g} and the {then} from month {begins:g}; what acts through "
                    f"a mediator comes in order: measure the {then} later, or narrow the {first}"
                )
        return self


class Through(Closed):
    """What treatment may act through, such as remission, measured in the follow-up wave between treatment and outcome.

    `mediator` names its variable and what counts as yes; `word` is what it is called, `called` its yes and its no.
    `at_risk` are tests, in the follow-up wave, of who had no outcome when it was measured. `outcome` takes the place of
    the trial's, where that reaches back before the mediator. `after_treatment` are confounders of mediator and outcome,
    measured in the follow-up wave, that treatment may have changed; those at baseline are the trial's.
    """

    label: str
    word: str = Field("remission", max_length=30)
    mediator: dict[str, Tests]
    called: tuple[str, str] = ("remitted", "symptomatic")
    at_risk: dict[str, dict[str, Tests]]
    outcome: Outcome | None = None
    after_treatment: list[Term] = Field(default_factory=list)
    months: Order
    _bare_names = field_validator("after_treatment", mode="before")(terms_of)

    @model_validator(mode="after")
    def _one_mediator(self) -> Through:
        if len(self.mediator) != 1:
            raise ValueError("mediator: name one variable and what counts as yes, such as {phq9: {maximum: 4}}")
        if not self.at_risk:
            raise ValueError(
                "at_risk: say who had no outcome when the mediator was measured; others cannot get it anew"
            )
        return self

    @property
    def variable(self) -> str:
        """The mediator's variable."""
        return next(iter(self.mediator))

    @property
    def later(self) -> list[str | dict[str, Any]]:
        """The confounders after treatment as terms of a model."""
        return [term.term for term in self.after_treatment]

    def variables(self) -> set[str]:
        """Every variable used, all of the follow-up wave."""
        names = {self.variable, *(name for tests in self.at_risk.values() for name in tests)}
        names |= {term.variable for term in self.after_treatment}
        return names | ({self.outcome.variable} if self.outcome else set())


class Component(Closed):
    """One target-trial component, as one would specify it and as these data emulate it."""

    specified: str
    emulated: str


class Plan(Closed):
    """All that a variation of a trial may override."""

    eligibility: dict[str, dict[str, Tests]]
    panels: Panels = Panels()
    treatment: Treatment
    assignment: Assignment
    follow_up: FollowUp
    outcome: Outcome
    estimand: Estimand = Estimand()
    gate: Gate
    variance: Variance = Variance()
    # Longer ones would run into the numbers beside them in the forest plot.
    label: str | None = Field(None, max_length=60)
    description_only: bool = False

    @model_validator(mode="after")
    def _replicates_refit_everything(self) -> Plan:
        if self.assignment.missing == "weighted" and self.variance.resampling is not None:
            raise ValueError("`missing: weighted` goes with `variance: {method: linearised}` only")
        return self

    def variables(self) -> set[str]:
        """Every variable the plan uses."""
        names = {name for tests in self.eligibility.values() for name in tests}
        return names | {
            self.treatment.variable,
            self.outcome.variable,
            *self.assignment.names,
            *self.assignment.helpers,
        }


class Protocol(Plan):
    """One target trial and its variations. `further_estimators` are those of the declared analysis alone."""

    name: str
    question: str
    emulates: Literal["landmark", "initiation"]
    estimand_words: str
    time_zero: str
    rationale: str
    components: dict[
        Literal[
            "eligibility",
            "strategies",
            "assignment",
            "time zero and follow-up",
            "outcome",
            "contrast",
            "analysis",
        ],
        Component,
    ]
    windows: dict[str, tuple[float, float]]
    time_zero_month: float
    estimators: list[Estimator]
    further_estimators: list[Estimator] = Field(default_factory=list)
    primary_estimator: Estimator
    table_one: list[str] = Field(default_factory=list)
    variations: dict[str, dict[str, Any]] = Field(default_factory=dict)
    series: Series = Series()
    # Who the effect may differ between: a category (null), or a number cut at these points.
    subgroups: dict[str, list[float] | None] = Field(default_factory=dict)
    multiverse: Multiverse | None = None
    calibration: Calibration | None = None
    sensitivity: Sensitivity | None = None
    through: Through | None = None
    sequence: Sequence | None = None
    by_round: Rounds | None = None
    assumptions: list[str] = Field(default_factory=list)
    limits: list[str] = Field(default_factory=list)
    smallest_effect: float

    @model_validator(mode="after")
    def _follow_up_comes_after_time_zero(self) -> Protocol:
        zero = self.time_zero_month
        across = [name for name, (begin, end) in self.windows.items() if begin < zero < end]
        if across:
            raise ValueError(
                f"windows > {', '.join(across)}: begins before time zero (month {zero:g}) and ends after it; what is measured "
                "there would be baseline and follow-up at once: divide it, or move time zero"
            )
        backwards = [name for name, (begin, end) in self.windows.items() if end < begin]
        if backwards:
            raise ValueError(f"windows > {', '.join(backwards)}: ends before it begins")
        if not any(end > zero for _, end in self.windows.values()):
            raise ValueError(
                f"windows: none lies after time zero (month {zero:g}), so follow-up would come before it; declare when the "
                "outcome is measured"
            )
        return self

    def estimators_of(self, variation: str) -> list[Estimator]:
        """The estimators of a variation that adjusts for something."""
        return [*self.estimators, *(self.further_estimators if variation == "main" else [])]


class Association(Closed):
    """One cross-sectional model: prevalence of an outcome over groups, never called an effect."""

    name: str
    question: str
    outcome: Outcome
    exposure: str
    reference: str
    domain: dict[str, dict[str, Tests]]
    adjustment: list[Term]
    limits: list[str] = Field(default_factory=list)
    assumptions: list[str] = Field(default_factory=list)
    further: list[dict[str, Any]] = Field(default_factory=list)
    _bare_names = field_validator("adjustment", mode="before")(terms_of)

    @property
    def names(self) -> list[str]:
        """The adjustment variables' names."""
        return [term.variable for term in self.adjustment]

    @property
    def terms(self) -> list[str | dict[str, Any]]:
        """The adjustment as terms of a model."""
        return Assignment(confounders=self.adjustment).terms

    def variables(self) -> set[str]:
        """Every variable the association uses."""
        names = {name for tests in self.domain.values() for name in tests}
        return names | {self.outcome.variable, self.exposure, *self.names}


class Job(Closed):
    """One analysis on its surveys."""

    trial: str | None = None
    association: str | None = None
    audit: str | None = None
    surveys: list[str]

    @model_validator(mode="after")
    def _one_kind(self) -> Job:
        if sum(kind is not None for kind in (self.trial, self.association, self.audit)) != 1:
            raise ValueError(
                "an analysis is `trial: <name>`, `association: <name>` or `audit: <name>`, with `surveys: [...]`"
            )
        return self

    @property
    def name(self) -> str:
        """The name of the protocol, the association or the audit."""
        return str(self.trial or self.association or self.audit)


class Run(Closed):
    """A run: which analyses on which surveys, the seed, the smallest cell shown."""

    run: str | None = None
    title: str
    summary: str
    simulated: bool = False
    people: int | None = None
    seed: int
    smallest_cell: int
    analyses: list[Job] = Field(min_length=1)
    anchors: list[str] = Field(default_factory=list)

    @property
    def surveys(self) -> list[str]:
        """Every survey of the run, once, in order of appearance; `anchors` are read for their published figures alone."""
        analysed = [survey for job in self.analyses for survey in job.surveys]
        return list(dict.fromkeys([*analysed, *self.anchors]))

    @property
    def trials(self) -> list[tuple[str, str]]:
        """(protocol, survey) of each trial."""
        return [(job.name, survey) for job in self.analyses if job.trial for survey in job.surveys]

    @property
    def associations(self) -> list[tuple[str, str]]:
        """(association, survey) of each association."""
        return [(job.name, survey) for job in self.analyses if job.association for survey in job.surveys]

    @property
    def audits(self) -> list[tuple[str, str]]:
        """(audit, survey) of each audit."""
        return [(job.name, survey) for job in self.analyses if job.audit for survey in job.surveys]


class Rule(Closed):
    """How the verdict on a claim follows from an estimate; written before the estimate is seen.

    A trial's estimate is named by `estimator`, a finding of an audit by `item`, `label` and `contrast`. `nothing` is the value
    at which there is nothing to the claim: no difference, or half of a share of which most is claimed. A claim that no data
    here can test says why by `not_testable`, and names no analysis.
    """

    claim: str
    text: str
    analysis: str = ""
    survey: str = ""
    variation: str = "main"
    scale: Literal["risk-difference", "share"] = "risk-difference"
    estimator: str = ""
    item: str = ""
    label: str = ""
    contrast: str = ""
    nothing: float = 0.0
    direction: Literal["below", "above"] = "above"
    smallest_effect: float = 0.0
    cap: Literal["inconclusive", "proxy only"] | None = None
    cap_because: str | None = None
    not_testable: str | None = None

    @model_validator(mode="after")
    def _whole(self) -> Rule:
        if self.not_testable is not None:
            if self.analysis or self.survey:
                raise ValueError("a claim that is `not_testable` names no analysis; leave one of them out")
            return self
        if not (self.analysis and self.survey):
            raise ValueError("name the `analysis` and the `survey`, or say why the claim is `not_testable`")
        if bool(self.estimator) == bool(self.item):
            raise ValueError("name the trial's `estimator`, or the audit's `item`")
        if not self.smallest_effect > 0:
            raise ValueError("smallest_effect: give the smallest difference that would matter, above 0")
        if self.cap is not None and not self.cap_because:
            raise ValueError("cap_because: say what limits the verdict")
        return self


class Claims(Closed):
    """The claims under audit and the rules of their verdicts."""

    claims: list[Rule]
    known_when_written: str
