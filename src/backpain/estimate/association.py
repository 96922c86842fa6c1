"""Prevalence over the groups of an exposure, crude and standardised: a description, not an effect."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from backpain.design import Sampling, proportion
from backpain.estimate.rows import (
    Group,
    Quantity,
    Source,
    contrasts_of,
    failed_rows,
    risks_of,
    table,
)
from backpain.estimate.trial import design_of
from backpain.regression import Term, survey_regression

Numbers = NDArray[np.float64]
Marks = NDArray[np.bool_]

STANDARDISED = ("risk-difference", "risk-ratio")


def associate(
    people: pd.DataFrame,
    outcome: str,
    exposure: str,
    reference: str,
    terms: Sequence[Term],
    domain: ArrayLike | None = None,
    skeleton: pd.DataFrame | None = None,
    lonely: str = "adjust",
    design: Sampling | None = None,
) -> pd.DataFrame:
    """Compare the prevalence of an outcome between groups, inside a domain of a survey.

    Parameters
    ----------
    people
        One row per person: weight, stratum, psu, the outcome (boolean), the exposure (categories) and the
        terms' variables; outside the domain the last three may be missing.
    reference
        The group that the others are compared with.
    terms
        What the standardised comparison adjusts for.
    domain
        (people,) mask; None is everyone.
    skeleton, lonely
        As in `Design.of`.
    design
        The people's design, made before: with stages, or of replicate weights. It takes the place of the two.

    Returns
    -------
    Rows with the columns `COLUMNS`. Estimator `unadjusted`: each group's prevalence with its Korn-Graubard
    interval and the degrees of freedom of the group; `standardisation`: each group's risk over the whole
    domain, differences and ratios; `logistic`: odds ratios, by statsmodels. The adjusted rows have the
    degrees of freedom of the domain.

    Raises
    ------
    ValueError
        If a weight in the domain is zero, outcome or exposure is missing there, the reference is not a group
        or the only one, and as `Design.of` and `survey_regression` do.
    """
    design = design_of(people, skeleton, lonely) if design is None else design
    members = design.members(domain)
    _check(people, outcome, exposure, reference, design, members)
    event = people[outcome].to_numpy(dtype=float, na_value=0.0) * members
    masks = _groups(people[exposure], reference, members)
    groups = [
        Group(name, int(mask.sum()), int(event[mask].sum()), float(design.weight[mask].sum()))
        for name, mask in masks.items()
    ]
    rows = []
    for group, mask in zip(groups, masks.values(), strict=True):
        share = proportion(event, design, mask)
        source = Source("unadjusted", share.df)
        rows.append(source.row(group, "risk", estimate=share.estimate, se=share.se, low=share.low, high=share.high))
    return table([*rows, *_adjusted(people, outcome, exposure, list(masks), terms, groups, design, members)])


def _check(people: pd.DataFrame, outcome: str, exposure: str, reference: str, design: Sampling, members: Marks) -> None:
    for name in (outcome, exposure):
        if name not in people:
            raise ValueError(f"people: there is no column {name!r}")
        if missing := int(people[name].isna().to_numpy()[members].sum()):
            raise ValueError(f"people: {name} is missing for {missing} in the domain; leave them out of it")
    if weightless := int((design.weight[members] == 0).sum()):
        raise ValueError(f"people: {weightless} in the domain have weight 0; leave them out, in a box of the flow")
    if not people.loc[members, outcome].isin([True, False]).all():
        raise ValueError(f"people: {outcome} must be true or false in the domain")
    found = set(people.loc[members, exposure])
    if reference not in found or len(found) < 2:
        raise ValueError(
            f"people: the groups of {exposure} in the domain are {sorted(map(str, found))}; there must be "
            f"several, the reference {reference!r} among them"
        )


def _groups(exposure: pd.Series, reference: str, members: Marks) -> dict[str, Marks]:
    """Who is in each group that somebody of the domain is in; the reference comes last."""
    present = exposure[members].unique()
    if isinstance(exposure.dtype, pd.CategoricalDtype):
        levels = [level for level in exposure.cat.categories if level in present]
    else:
        levels = sorted(present)
    ordered = [level for level in levels if level != reference] + [reference]
    return {str(level): np.asarray((exposure == level).fillna(False), dtype=bool) & members for level in ordered}


def _adjusted(
    people: pd.DataFrame,
    outcome: str,
    exposure: str,
    levels: list[str],
    terms: Sequence[Term],
    groups: list[Group],
    design: Sampling,
    members: Marks,
) -> list[dict[str, object]]:
    """Standardised risks with their contrasts, and the odds ratios of the same model, which statsmodels has to confirm."""
    # ASSUME: groups and terms act on the log-odds without interaction. The reference comes first, as no column.
    order = pd.CategoricalDtype([levels[-1], *levels[:-1]])
    coded = people.assign(**{exposure: people[exposure].astype("str").astype(order)})
    model = survey_regression(coded, outcome, [exposure, *terms], design, domain=members, engine="statsmodels")
    reason = "" if model.converged else f"outcome: {model.reason}"
    standard, odds = (Source(name, model.freedom, reason) for name in ("standardisation", "logistic"))
    if not model.converged:
        return [
            *failed_rows(groups, standard, STANDARDISED),
            *failed_rows(groups, odds, ["odds-ratio"], risks=False),
        ]
    risk, covariance = model.averages(exposure, levels)
    found = [*risks_of(groups, risk, covariance), *contrasts_of(groups, risk, covariance, STANDARDISED)]
    columns = model.coding.groups[exposure]
    errors = np.sqrt(np.diag(model.covariance))[columns]
    ratios = [
        Quantity(group.beside(groups[-1]), "odds-ratio", float(value), float(error))
        for group, value, error in zip(groups[:-1], model.coefficients[columns], errors, strict=True)
    ]
    return [*(one.row(standard) for one in found), *(one.row(odds) for one in ratios)]
