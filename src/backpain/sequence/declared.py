"""What is declared of a sequence of trials: the columns, the strategies compared, the weights and the models."""

from __future__ import annotations

from dataclasses import dataclass

from backpain.regression import Term
from backpain.sequence.smooth import SMOOTHS

STRATEGIES = ("initiation", "sustained")
TIME_ZERO = ("adjusted", "weighted")
LOSS = ("last", "first")


@dataclass(frozen=True)
class SequentialTrials:
    """A target trial begun anew in every period in which somebody is eligible (Hernan 2008, Epidemiology 19:766).

    Within a period covariates and eligibility come first, then treatment, then death, then the event; loss comes last, or
    with `loss: first` before death and event.

    Attributes
    ----------
    id, period, treatment, event, eligible
        Columns of the person-periods: whose, when (whole numbers without gaps), whether treated in the period (0 or
        1), whether the outcome came in it, whether a trial may begin in it.
    prior
        The column with the treatment in the period before; None takes it from the row before. Then a person's first
        period, before which nothing is known, does not inform the models of treatment, unless its own treatment has to
        be weighted (`time_zero: weighted`): that takes everybody as untreated before.
    lost
        The column of who was lost in the period, and nothing is known of later; None: nobody was. Then
        whoever has no more rows was followed to the end of the study.
    loss
        `last`: whether the lost had the event in that period is known; `first`: it is not, as where events are asked
        for at the next interview. That period then counts for treatment and loss, but not for the event.
    death
        The column of the competing event; None: there is none.
    strategy
        `initiation`: treated at time zero or not, whatever comes after (the analogue of intention to treat).
        `sustained`: always against never; who deviates is censored at that period.
    grace
        With `sustained`, the last period of follow-up in which treatment may still begin; who begins neither earlier
        nor later than that follows the strategy. Everybody is then in both arms until they deviate from one
        (clones), and no weight of the treated arm is stabilised, because that would change when treatment begins
        (Cain et al. 2010, Int J Biostat 6:18).
    fixed, varying
        Terms of covariates that do not change, and of those that do.
    time_zero
        How trials are made comparable at time zero: `adjusted`, by the covariates in the outcome model; `weighted`, by
        the inverse probability of the treatment at time zero, with `fixed` alone in the outcome model.
    stabilised
        Whether weights have numerators: the same models on `fixed` and the period alone.
    loss_weights
        Whether to weight by the inverse probability of not being lost, multiplied up over the periods.
    truncate
        Shares of all rows below and above which weights are cut, such as (0.01, 0.99); None cuts none.
    longest
        Periods of follow-up at most; None: as long as anybody has.
    follow_up, trial, calendar
        The forms of follow-up time and of the trial's number in the outcome models, and of the period in the weights'
        models: one of `SMOOTHS`.
    by_time
        The form of follow-up time that treatment is multiplied with; `none` for a constant odds ratio.
    """

    id: str = "id"
    period: str = "period"
    treatment: str = "treated"
    event: str = "event"
    eligible: str = "eligible"
    prior: str | None = None
    lost: str | None = None
    loss: str = "last"
    death: str | None = None
    strategy: str = "initiation"
    grace: int = 0
    fixed: tuple[Term, ...] = ()
    varying: tuple[Term, ...] = ()
    time_zero: str = "adjusted"
    stabilised: bool = True
    loss_weights: bool = True
    truncate: tuple[float, float] | None = None
    longest: int | None = None
    follow_up: str = "quadratic"
    trial: str = "quadratic"
    calendar: str = "quadratic"
    by_time: str = "linear"

    def __post_init__(self) -> None:
        for name, value, known in (
            ("strategy", self.strategy, STRATEGIES),
            ("time_zero", self.time_zero, TIME_ZERO),
            ("loss", self.loss, LOSS),
            *((name, getattr(self, name), SMOOTHS) for name in ("follow_up", "trial", "calendar", "by_time")),
        ):
            if value not in known:
                raise ValueError(f"sequence: {name} {value!r} is not known; declare one of {', '.join(known)}")
        if self.grace < 0 or (self.grace and (self.strategy != "sustained" or self.time_zero != "adjusted")):
            raise ValueError(
                f"sequence: grace {self.grace}: declare 0 or more periods, with `strategy: sustained` and "
                "`time_zero: adjusted` only"
            )
        if self.longest is not None and self.longest < 1:
            raise ValueError(f"sequence: longest {self.longest} ends before time zero; declare 1 period or more")
        if self.truncate is not None and not 0 <= self.truncate[0] < self.truncate[1] <= 1:
            raise ValueError(f"sequence: truncate {self.truncate}: declare two shares in order, such as (0.01, 0.99)")

    @property
    def baseline(self) -> tuple[Term, ...]:
        """The covariates of the outcome models, at time zero."""
        return self.fixed if self.time_zero == "weighted" else (*self.fixed, *self.varying)

    @property
    def weighs_deviation(self) -> bool:
        """Whether treatment has to be modelled."""
        return self.strategy == "sustained" or self.time_zero == "weighted"

    @property
    def weighs_loss(self) -> bool:
        """Whether loss has to be modelled."""
        return self.lost is not None and self.loss_weights


def variables_of(terms: tuple[Term, ...]) -> list[str]:
    """The columns that terms speak of."""
    found = []
    for term in terms:
        if isinstance(term, str):
            found.append(term)
        elif "variable" in term:
            found.append(str(term["variable"]))
    return list(dict.fromkeys(found))


__all__ = ["LOSS", "STRATEGIES", "TIME_ZERO", "SequentialTrials", "variables_of"]
