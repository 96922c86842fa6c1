"""What is declared of an imputation, and the plans that are refused."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from backpain.regression import Term

# `default` is logistic for two values, multinomial for more categories, predictive mean matching for numbers.
METHODS = ("default", "logistic", "multinomial", "predictive-mean-matching", "normal")
DESIGN_EFFECTS = ("none", "stratum", "psu")
PANELS = ("effects", "within")
WEIGHT_FORMS = ("log", "linear")
AUGMENT = ("where needed", "as mice")


@dataclass(frozen=True)
class ImputationPlan:
    """One protocol's imputation by chained equations.

    Attributes
    ----------
    impute
        Variable -> one of METHODS.
    outcome, treatment
        They and their product stand in every model, so that the imputations do not dampen the contrast that is
        asked for, nor its differences (Tilling and others 2016, J Clin Epidemiol 80:107).
    predictors
        Every other variable of the analysis, and what helps to predict them, as `coding_of` takes terms. Those
        to be imputed are predictors of one another whether named here or not.
    never
        Variables that decided who takes part. They are known for whoever was selected; imputing them afterwards
        would not bring back those left out, so a plan that does is refused.
    products
        Further pairs of variables whose product stands in every model but their own.
    weight
        How the survey weight enters: its logarithm, or as it is.
    design_effects
        `psu` or `stratum`: a normal random intercept for each, with its variance drawn anew in every iteration;
        `none`. PSUs are nested, so a PSU's intercept holds its stratum's too. ASSUME: random rather than fixed.
        Reiter, Raghunathan and Kinney 2006 (Surv Methodol 32:143) show that leaving the design out biases and
        that needless effects only cost precision; fixed effects of hundreds of units overfit small PSUs and
        overstate the variance (Andridge 2011, Biom J 53:57), and have no estimate where a PSU knows one level.
        Who wants fixed effects of few strata names their column among the predictors, as a category.
    panel, panels
        Column of the panel; its `effects` in every model, or imputation `within` each panel by itself.
    augment
        What happens under perfect prediction. `where needed`: a model that has it, and no other, gets
        pseudo-observations of total weight p + 1, shared among the levels as they were observed (Clogg and
        others 1991, J Am Stat Assoc 86:68), and its coefficients are drawn by resampling, because no normal is
        close to them. `as mice`: every model gets them, each level the same (White, Daniel and Royston 2010,
        Comput Stat Data Anal 54:2267), which draws rare levels towards equal shares, and a normal draw.
    m, iterations, donors, seed
        Imputations, rounds through the variables, donors of predictive mean matching, seed of them all. Matching
        wants predictions that spread: where hardly anything predicts a number, recipients share few donors.
    """

    impute: Mapping[str, str]
    outcome: str
    treatment: str
    predictors: tuple[Term, ...] = ()
    never: tuple[str, ...] = ()
    products: tuple[tuple[str, str], ...] = ()
    weight: str = "log"
    design_effects: str = "psu"
    panel: str | None = None
    panels: str = "effects"
    augment: str = "where needed"
    m: int = 20
    iterations: int = 10
    donors: int = 5
    seed: int = 1
    named: tuple[str, ...] = field(init=False, repr=False, default=())

    def __post_init__(self) -> None:
        """Refuse what could only give wrong imputations.

        Raises
        ------
        ValueError
            Without an outcome or a treatment, when a variable of `never` or the panel is to be imputed, or when
            a choice or a count is not among those possible.
        """
        for role, name in (("outcome", self.outcome), ("treatment", self.treatment)):
            if not name:
                raise ValueError(f"impute: the plan names no {role}; without it in every model the effect is dampened")
        if self.outcome == self.treatment:
            raise ValueError(f"impute: {self.outcome} is both outcome and treatment; name two variables")
        self._check_choices()
        for name in self.impute:
            if name in self.never:
                raise ValueError(
                    f"impute: {name} decides who takes part and must never be imputed after the selection; take it "
                    "out of `impute`, and let the eligibility say what happens to those without it"
                )
            if name == self.panel:
                raise ValueError(f"impute: {name} is the panel, which everyone has; take it out of `impute`")
        object.__setattr__(self, "named", self._names())

    def _check_choices(self) -> None:
        choices = {"weight": WEIGHT_FORMS, "design_effects": DESIGN_EFFECTS, "panels": PANELS, "augment": AUGMENT}
        for choice, known in choices.items():
            if getattr(self, choice) not in known:
                raise ValueError(
                    f"impute: {choice} {getattr(self, choice)!r} is not known; choose one of {', '.join(known)}"
                )
        for name, method in self.impute.items():
            if method not in METHODS:
                raise ValueError(f"impute: {name} by {method!r} is not known; choose one of {', '.join(METHODS)}")
        for count, least in (("m", 2), ("iterations", 1), ("donors", 1), ("seed", 0)):
            if getattr(self, count) < least:
                raise ValueError(f"impute: {count} is {getattr(self, count)}; it must be {least} or more")
        if self.panels == "within" and self.panel is None:
            raise ValueError("impute: panels are `within`, but the plan names no panel")

    def _names(self) -> tuple[str, ...]:
        """Every variable of the models, once: treatment and outcome first, so that they outlast their copies."""
        panel = (self.panel,) if self.panel is not None and self.panels == "effects" else ()
        asked = [str(term["variable"]) if isinstance(term, dict) else term for term in self.predictors]
        pairs = [name for pair in self.products for name in pair]
        return tuple(dict.fromkeys([self.treatment, self.outcome, *panel, *asked, *self.impute, *pairs]))

    @property
    def pairs(self) -> tuple[tuple[str, str], ...]:
        """The products: treatment and outcome, and those declared."""
        return ((self.treatment, self.outcome), *self.products)

    def term(self, name: str) -> Term:
        """The form in which a variable enters."""
        for term in self.predictors:
            if isinstance(term, dict) and term["variable"] == name:
                return term
        return name
