"""The models an estimate leans on without being about them: who is treated, and who is followed.

Both are survey-weighted logistic regressions. Their coefficients are estimated, and `Nuisance.drift` carries
what that adds to or takes from the influence function of an estimate (Lunceford and Davidian 2004, Stat Med
23:2937; Stefanski and Boos 2002, Am Stat 56:29).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from backpain.regression import INTERCEPT, Logistic, Term, design_matrix, logistic

Numbers = NDArray[np.float64]
Marks = NDArray[np.bool_]

POPULATIONS = ("everyone", "treated", "untreated")
LOST = ("weighted", "complete")


@dataclass(frozen=True)
class Observed:
    """A trial's participants as arrays: survey weight, arm, followed or not, event (0 for the lost)."""

    weight: Numbers
    treated: Marks
    followed: Marks
    event: Numbers


def observed(participants: pd.DataFrame) -> Observed:
    """Read the participants' columns weight, treated, followed and event.

    Raises
    ------
    ValueError
        If a column is absent, a weight is not positive, an arm is unknown, an arm has nobody followed,
        `followed` is missing for someone, or the event is known for the lost or missing for the followed.
    """
    for column in ("weight", "treated", "followed"):
        if column not in participants:
            raise ValueError(f"participants: there is no column {column!r}")
    weight = participants["weight"].to_numpy(dtype=float, na_value=np.nan)
    if not (np.isfinite(weight) & (weight > 0)).all():
        stray = int((~(np.isfinite(weight) & (weight > 0))).sum())
        raise ValueError(f"participants: {stray} have no weight above zero; leave them out, in a box of the flow")
    treated, followed = (_marks(participants, column) for column in ("treated", "followed"))
    event = np.zeros(len(participants))
    if "event" in participants:
        unknown = participants["event"].isna().to_numpy()
        if (unknown == followed).any():
            missing, known = int((unknown & followed).sum()), int((~unknown & ~followed).sum())
            raise ValueError(
                f"participants: event is missing for {missing} of the followed and known for {known} of the "
                "lost; it must be missing exactly for the lost"
            )
        event = participants["event"].to_numpy(dtype=float, na_value=0.0)
        if not np.isin(event[followed], (0.0, 1.0)).all():
            raise ValueError("participants: event must be true or false, or 1 or 0, for everyone followed")
    for arm, marks in (("treated", treated), ("untreated", ~treated)):
        if not (marks & followed).any():
            raise ValueError(f"participants: nobody {arm} was followed; a contrast needs both arms")
    return Observed(weight, treated, followed, np.where(followed, event, 0.0))


def _marks(participants: pd.DataFrame, column: str) -> Marks:
    values = participants[column]
    if values.isna().any():
        raise ValueError(f"participants: {column} is missing for {int(values.isna().sum())} people")
    if not values.isin([True, False]).all():
        raise ValueError(f"participants: {column} must be true or false")
    return values.to_numpy(dtype=bool)


@dataclass(frozen=True)
class Nuisance:
    """Propensity and retention of a trial's participants, with the models behind them.

    Attributes
    ----------
    propensity, retention
        (people,) probability of treatment given the confounders, and of being followed given arm and
        confounders; missing where the model did not converge.
    treatment_weight
        (people,) what weights each arm up to the population: 1 over the probability of the own arm for everyone;
        for the treated (or the untreated) 1 in that arm, and in the other the odds of being in it.
    analysis_weight
        (people,) survey weight x treatment weight / retention for the followed, 0 for the lost.
    covariates, columns
        (people, k) model matrix of the confounders, with its intercept, and its columns' names.
    retention_model
        None when everyone was followed, or when the lost are declared not to matter.
    loss_declared
        Whether the terms of the loss model were declared apart from the confounders.
    """

    population: str
    terms: tuple[Term, ...]
    trial: Observed
    propensity: Numbers
    retention: Numbers
    treatment_weight: Numbers
    analysis_weight: Numbers
    covariates: Numbers
    columns: list[str]
    propensity_model: Logistic
    retention_model: Logistic | None
    loss_declared: bool
    # What one estimator has worked out and the next may use again.
    kept: dict[str, Any] = field(default_factory=dict, compare=False, repr=False)

    @property
    def reason(self) -> str:
        """Why a model cannot be used; empty when all can."""
        models = {"propensity": self.propensity_model, "retention": self.retention_model}
        failed = [f"{name}: {model.reason}" for name, model in models.items() if model and not model.converged]
        if not failed and not np.isfinite(self.analysis_weight).all():
            # Nearly separated: the fit settles, but a probability rounds to 0 or 1 and its weight has no end.
            failed = ["propensity: somebody's probability of the own arm is 0, so nobody can stand in for them"]
        return "; ".join(failed)

    @property
    def converged(self) -> bool:
        """Whether every model can be used."""
        return not self.reason

    @cached_property
    def treatment_slope(self) -> Numbers:
        """(people,) slope of the logarithm of the treatment weight in the log-odds of treatment."""
        e, a = self.propensity, self.trial.treated
        if self.population == "everyone":
            return np.where(a, e - 1, e)
        return np.where(a, 0.0, 1.0) if self.population == "treated" else np.where(a, -1.0, 0.0)

    def drift(
        self, contribution: Numbers, slope: Numbers | None = None, of: NDArray[np.intp] | slice = slice(None)
    ) -> Numbers:
        """How estimating the two models moves a sum that is weighted by them.

        Parameters
        ----------
        contribution
            (people, m) what each person adds to m sums, in proportion to 1 / retention and to a weight that
            follows from the propensity.
        slope
            (people,) slope of the logarithm of that weight in the log-odds of treatment; None where there is no
            such weight.
        of
            (people,) whose propensity each person's weight follows from; everyone's own, unless said.

        Returns
        -------
        (people, m) influence to be added to the contributions.
        """
        moved = np.zeros_like(contribution)
        if slope is not None:
            model = self.propensity_model
            moved += model.influence @ (model.matrix[of].T @ (slope[:, None] * contribution))
        if self.retention_model is not None:
            model = self.retention_model
            moved += model.influence @ (model.matrix.T @ ((self.retention - 1)[:, None] * contribution))
        return moved


def fit_nuisance(
    participants: pd.DataFrame,
    terms: Sequence[Term],
    loss_terms: Sequence[Term] | None = None,
    population: str = "everyone",
    lost: str = "weighted",
) -> Nuisance:
    """Fit the propensity and the retention model.

    Parameters
    ----------
    participants
        One row per person: weight, treated, followed, and the terms' variables without missing values.
    terms
        Confounders, as `design_matrix` takes them; none gives the marginal share treated.
    loss_terms
        Terms of the loss model beside the arm; None takes the confounders.
    population
        Whom the contrast is about: `everyone`, the `treated` or the `untreated`.
    lost
        `weighted`: those followed stand for those lost alike in arm and terms. `complete`: those lost are
        declared not to differ, and no model is fitted.

    Raises
    ------
    ValueError
        As `observed` and `design_matrix` do, and for an unknown population or policy.
    """
    if population not in POPULATIONS or lost not in LOST:
        raise ValueError(
            f"population {population!r} and lost {lost!r}: choose from {', '.join(POPULATIONS)} and from "
            f"{', '.join(LOST)}"
        )
    trial = observed(participants)
    covariates, columns = design_matrix(participants, terms)
    propensity_model = logistic(covariates, trial.treated, trial.weight, columns)
    retention_model = None
    if lost == "weighted" and not trial.followed.all():
        # ASSUME: arm and terms act on the log-odds of being followed without interaction.
        same = loss_terms is None or list(loss_terms) == list(terms)
        known, names = (covariates, columns) if same else design_matrix(participants, loss_terms or ())
        matrix, names = with_arm(known, names, trial.treated)
        retention_model = logistic(matrix, trial.followed, trial.weight, names)
    e = propensity_model.probability
    retention = np.ones(len(e)) if retention_model is None else retention_model.probability
    h = treatment_weight(population, trial.treated, e)
    return Nuisance(
        population=population,
        terms=tuple(terms),
        trial=trial,
        propensity=e,
        retention=retention,
        treatment_weight=h,
        analysis_weight=np.where(trial.followed, trial.weight * h / retention, 0.0),
        covariates=covariates,
        columns=columns,
        propensity_model=propensity_model,
        retention_model=retention_model,
        loss_declared=loss_terms is not None,
    )


def treatment_weight(population: str, treated: Marks, propensity: Numbers) -> Numbers:
    """(people,) what weights each arm up to the population; endless where nobody like them is in the own arm."""
    own = np.where(treated, propensity, 1 - propensity)
    with np.errstate(divide="ignore", invalid="ignore"):  # told by `Nuisance.reason`
        if population == "everyone":
            return np.asarray(1 / own)
        return np.where(treated == (population == "treated"), 1.0, (1 - own) / own)


def covariates_of(participants: pd.DataFrame, terms: Sequence[Term], nuisance: Nuisance) -> tuple[Numbers, list[str]]:
    """The terms' model matrix, from the propensity model where it has the same terms."""
    if list(terms) == list(nuisance.terms):
        return nuisance.covariates, nuisance.columns
    return design_matrix(participants, terms)


def with_arm(covariates: Numbers, columns: list[str], treated: Marks | bool) -> tuple[Numbers, list[str]]:
    """The covariates with the arm as second column, after the intercept; a bare bool is everyone's arm."""
    arm = np.broadcast_to(np.asarray(treated, dtype=float), len(covariates))
    return np.column_stack([covariates[:, :1], arm, covariates[:, 1:]]), [INTERCEPT, "treated", *columns[1:]]
