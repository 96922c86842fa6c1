"""Prevalence over the groups of an exposure, crude and standardised: a description, not an effect."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from backpain.design import Design, proportion
from backpain.estimate.rows import (
    Group,
    Quantity,
    Source,
    contrasts_of,
    failed_rows,
    risks_of,
    standardised,
    table,
)
from backpain.estimate.trial import design_of
from backpain.regression import INTERCEPT, Logistic, Term, design_matrix, logistic

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
        or the only one, and as `Design.of` and `design_matrix` do.
    """
    design = design_of(people, skeleton, lonely)
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
    inside = people.loc[members]
    covariates, columns = design_matrix(inside, terms)
    indicators = np.column_stack([mask[members] for mask in masks.values()]).astype(float)
    adjusted = _adjusted(covariates, columns, indicators, groups, event[members], design, members)
    return table([*rows, *adjusted])


def _check(people: pd.DataFrame, outcome: str, exposure: str, reference: str, design: Design, members: Marks) -> None:
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
    covariates: Numbers,
    columns: list[str],
    indicators: Numbers,
    groups: list[Group],
    event: Numbers,
    design: Design,
    members: Marks,
) -> list[dict[str, object]]:
    """Standardised risks with their contrasts, and the odds ratios of the same model."""
    names = [INTERCEPT, *(group.name for group in groups[:-1]), *columns[1:]]

    def matrix(held: Numbers) -> Numbers:
        # ASSUME: groups and terms act on the log-odds without interaction.
        return np.column_stack([covariates[:, :1], held[:, :-1], covariates[:, 1:]])

    observed, weight = matrix(indicators), design.weight[members]
    everyone = [matrix(np.tile(row, (len(weight), 1))) for row in np.eye(len(groups))]
    rows: list[dict[str, object]] = []
    for engine, estimator in (("newton", "standardisation"), ("statsmodels", "logistic")):
        fit = logistic(observed, event, weight, names, engine)
        reason = "" if fit.converged else f"outcome: {fit.reason}"
        source = Source(estimator, design.degrees_of_freedom_in(members), reason)
        if estimator == "standardisation":
            rows += _risks(fit, everyone, groups, source, design, members)
        else:
            rows += _odds_ratios(fit, groups, source, design, members)
    return rows


def _risks(
    fit: Logistic,
    everyone: list[Numbers],
    groups: list[Group],
    source: Source,
    design: Design,
    members: Marks,
) -> list[dict[str, object]]:
    if not fit.converged:
        return failed_rows(groups, source, STANDARDISED)
    risk, influence = standardised(everyone, fit.coefficients, fit.influence, design.weight[members])
    covariance = design.covariance(_whole(influence, members), members)
    found = [*risks_of(groups, risk, covariance), *contrasts_of(groups, risk, covariance, STANDARDISED)]
    return [quantity.row(source) for quantity in found]


def _odds_ratios(
    fit: Logistic, groups: list[Group], source: Source, design: Design, members: Marks
) -> list[dict[str, object]]:
    if not fit.converged:
        return failed_rows(groups, source, ["odds-ratio"], risks=False)
    influence = fit.influence[:, 1 : len(groups)]
    se = np.sqrt(np.diag(design.covariance(_whole(influence, members), members)))
    return [
        Quantity(group.beside(groups[-1]), "odds-ratio", float(value), float(error)).row(source)
        for group, value, error in zip(groups[:-1], fit.coefficients[1 : len(groups)], se, strict=True)
    ]


def _whole(influence: Numbers, members: Marks) -> Numbers:
    """The influence of the domain's members among that of all people, who have none."""
    whole = np.zeros((len(members), influence.shape[1]))
    whole[members] = influence
    return whole
