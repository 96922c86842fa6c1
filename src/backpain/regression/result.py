"""A regression of a survey's domain: its table, its tests and what it predicts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.stats import t

from backpain.design import Design, Replicated, Sampling, t_quantile
from backpain.regression.comparison import Comparison, likelihood_ratio, wald, without
from backpain.regression.domain import spread, vectors
from backpain.regression.fit import Fit
from backpain.regression.margins import average_slopes, averages, marginal_means
from backpain.regression.peer import summary
from backpain.regression.replicates import refitted
from backpain.regression.terms import INTERCEPT, Coding

Numbers = NDArray[np.float64]
Marks = NDArray[np.bool_]

# Up to so many units the influence is summed block by block.
MANY_UNITS = 2_000

DEGREES: dict[str, Callable[[int, int], int]] = {
    "design": lambda df, k: df,
    "design minus terms": lambda df, k: df + 1 - k,
}


@dataclass(frozen=True)
class Regression:
    """A regression of a domain of a survey.

    Attributes
    ----------
    fit, coding
        The fit to the domain's people, and how their variables became columns.
    part
        The domain's people, row by row as in the fit.
    design, members
        The survey, and who of it is in the domain.
    covariance
        (k, k) design-based variance of the coefficients; missing unless converged.
    freedom, df, level
        Degrees of freedom, how they were counted, and the level of intervals.
    replicates
        (replicates, k) coefficients under every replicate weight; none unless the design is of these.
    """

    outcome: str
    fit: Fit
    coding: Coding
    part: pd.DataFrame
    design: Sampling
    members: Marks
    covariance: Numbers
    freedom: int
    df: str
    level: float
    replicates: Numbers = field(default_factory=lambda: np.empty((0, 0)))

    @property
    def converged(self) -> bool:
        """Whether the fit can be used."""
        return self.fit.converged

    @property
    def reason(self) -> str:
        """Why it cannot; empty where it can."""
        return self.fit.reason

    @property
    def coefficients(self) -> Numbers:
        """(k,) on the scale of the linear predictor."""
        return self.fit.coefficients

    @property
    def influence(self) -> Numbers:
        """(people, k) how much each person of the survey moves each coefficient; zero outside the domain."""
        return spread(self.fit.influence, self.members)

    def refit(self, weights: ArrayLike) -> Numbers:
        """The coefficients under other weights, starting from these.

        Parameters
        ----------
        weights
            (people of the survey, r) vectors of weights.

        Returns
        -------
        (r, k) coefficients, missing where a fit does not settle.
        """
        return np.array([self.fit.again(weight) for weight in vectors(weights, self.members)])

    @property
    def table(self) -> pd.DataFrame:
        """Rows (term, estimate, se, df, low, high, p, people, converged, reason), on the linear predictor's scale."""
        b, se = self.coefficients, np.sqrt(np.diag(self.covariance))
        reach = t_quantile(self.freedom, self.level) * se
        with np.errstate(divide="ignore", invalid="ignore"):
            p = 2 * t.sf(np.abs(b / se), self.freedom)
        return pd.DataFrame(
            {
                "term": self.fit.names,
                "estimate": b,
                "se": se,
                "df": self.freedom,
                "low": b - reach,
                "high": b + reach,
                "p": p,
                "people": int(self.members.sum()),
                "converged": self.converged,
                "reason": self.reason,
            }
        )

    @property
    def ratios(self) -> pd.DataFrame:
        """The table with estimate and interval exponentiated, and `ratio` saying what they are; `se` stays a log's.

        Raises
        ------
        ValueError
            If exponentiated coefficients of this family mean nothing.
        """
        if not self.fit.kind.ratio:
            raise ValueError(f"{self.fit.kind.name} regression has no ratios; read its table")
        table = self.table
        table[["estimate", "low", "high"]] = np.exp(table[["estimate", "low", "high"]])
        table.insert(1, "ratio", self.fit.kind.ratio)
        # An exponentiated intercept or threshold is no ratio.
        columns = [place for place, name in enumerate(self.fit.columns) if name != INTERCEPT]
        return table.iloc[self.fit.kind.moved_by(columns, len(self.fit.columns))].reset_index(drop=True)

    def summary(self) -> Any:
        """statsmodels' own summary of this model, with the design's variance and degrees of freedom put in."""
        self._usable("summary")
        return summary(self.fit, self.outcome, self.covariance, self.freedom, self.level)

    def wald(self, terms: str | Sequence[str]) -> Comparison:
        """Whether all coefficients of these terms are zero: F with the regression's degrees of freedom below.

        `terms` are names of `coding.groups` (variables, interactions) or of columns. As R's
        `regTermTest(method = "Wald")` where `df` is `design minus terms`.
        """
        self._usable("wald")
        names, columns = self._columns(terms)
        places = self.fit.kind.moved_by(columns, len(self.fit.columns))
        return wald(self.fit, self.covariance, self.freedom, names, places)

    def working_likelihood_ratio(self, terms: str | Sequence[str], approximation: str = "saddlepoint") -> Comparison:
        """Whether the model without these terms fits as well, by Rao and Scott's working likelihood ratio.

        `approximation` is `saddlepoint` or `satterthwaite`. As R's `regTermTest(method = "LRT")`.
        """
        self._usable("working_likelihood_ratio")
        names, columns = self._columns(terms)
        return likelihood_ratio(self.fit, self.covariance, self.freedom, names, columns, approximation)

    def anova(self, method: str = "likelihood-ratio") -> pd.DataFrame:
        """Each term tested in the model of the terms up to it: R's `anova` of one `svyglm`.

        Parameters
        ----------
        method
            `likelihood-ratio` or `wald`.

        Returns
        -------
        Rows (term, method, statistic, numerator, df, p) in the order of the terms; each row's degrees of freedom
        are those of its own model.
        """
        self._usable("anova")
        if method not in ("likelihood-ratio", "wald"):
            raise ValueError(f"anova: method {method!r} is not known; choose likelihood-ratio or wald")
        rows, model = [], self
        groups = {name: columns for name, columns in self.coding.groups.items() if columns}
        for name, columns in reversed(groups.items()):
            test = model.wald(name) if method == "wald" else model.working_likelihood_ratio(name)
            rows.append([name, method, test.statistic, test.numerator, test.df, test.p])
            model = model._first(min(columns))
        return pd.DataFrame(rows[::-1], columns=["term", "method", "statistic", "numerator", "df", "p"])

    def margins(
        self,
        variable: str,
        at: Sequence[Any] | None = None,
        contrast: str | None = None,
        covariates: str = "sampled",
    ) -> pd.DataFrame:
        """Average outcome had everyone of the domain had each value of a variable, weighted by the survey.

        Everything else about a person stays as it is, an offset too.

        Parameters
        ----------
        at
            The values; None is all levels of a category.
        contrast
            `difference` or `ratio` of each value to the first; None gives the averages themselves.
        covariates
            What the variance holds: `sampled` has the other covariates drawn with the people (the full
            influence function); `fixed` takes the people at hand as given; `independent` adds the variance of
            the average to that of the coefficients as though they were unrelated (R's `svypredmeans`).

        Returns
        -------
        Rows (variable, value, category, scale, estimate, se, df, low, high, p, people); of ratios `se` is the
        logarithm's, and the interval is made there.

        Raises
        ------
        ValueError
            If the variable is not in the model, a value was not seen, or a choice is not known.
        """
        self._usable("margins")
        return marginal_means(self, variable, at, contrast, covariates)

    def averages(self, variable: str, at: Sequence[Any], covariates: str = "sampled") -> tuple[Numbers, Numbers]:
        """The averages of `margins` at some values with their variance matrix, for contrasts of one's own.

        Returns
        -------
        (values x categories,) averages, and their variance matrix. Raises as `margins`.
        """
        self._usable("averages")
        return averages(self, variable, at, covariates)

    def slopes(self, variable: str, covariates: str = "sampled") -> pd.DataFrame:
        """Average marginal effect of a number: by how much the mean outcome rises per unit, weighted by the survey."""
        self._usable("slopes")
        return average_slopes(self, variable, covariates)

    def _usable(self, what: str) -> None:
        if not self.converged:
            raise ValueError(f"{what}: the model of {self.outcome} has no fit: {self.reason}")

    def _columns(self, terms: str | Sequence[str]) -> tuple[list[str], list[int]]:
        names = [terms] if isinstance(terms, str) else list(terms)
        known = {name: [place] for place, name in enumerate(self.fit.columns)} | self.coding.groups
        if strays := [name for name in names if name not in known]:
            raise ValueError(f"{', '.join(strays)}: not in the model; choose from {', '.join(known)}")
        columns = sorted({place for name in names for place in known[name]})
        if not self.fit.kind.moved_by(columns, len(self.fit.columns)):
            raise ValueError(f"{', '.join(names)}: no coefficient to test")
        return names, columns

    def _first(self, columns: int) -> Regression:
        """The model of the first columns alone."""
        smaller = without(self.fit, range(columns, len(self.fit.columns)))
        return estimated(replace(self, fit=smaller, coding=_First(self.coding, columns)))


@dataclass(frozen=True)
class _First:
    """The first columns of a coding."""

    coding: Coding
    size: int

    @property
    def columns(self) -> list[str]:
        return self.coding.columns[: self.size]

    @property
    def groups(self) -> dict[str, list[int]]:
        return {name: places for name, places in self.coding.groups.items() if places and max(places) < self.size}

    @property
    def variables(self) -> frozenset[str]:
        return self.coding.variables

    def matrix(self, frame: pd.DataFrame) -> Numbers:
        return self.coding.matrix(frame)[:, : self.size]


def estimated(regression: Regression) -> Regression:
    """The same with its variance and degrees of freedom worked out."""
    fitted, design, members = regression.fit, regression.design, regression.members
    freedom = degrees(design, members, regression.df, len(fitted.columns))
    size = len(fitted.coefficients)
    covariance = np.full((size, size), np.nan)
    replicates = regression.replicates
    if fitted.converged and isinstance(design, Replicated):
        replicates = refitted(fitted, design, members)
        covariance = design.spread(replicates, fitted.coefficients)
    elif fitted.converged and isinstance(design, Design) and design.units <= MANY_UNITS:
        # Of people in PSUs only the sums are needed, which saves a matrix as large as the model's.
        unit = design.unit[members]
        held = design.held(members)
        covariance = design.covariance_of_totals(fitted.totals(unit, design.units), held)
    elif fitted.converged and isinstance(design, Design):
        covariance = design.covariance(regression.influence, members)
    return replace(regression, covariance=covariance, freedom=freedom, replicates=replicates)


def degrees(design: Sampling, members: Marks, df: str, columns: int) -> int:
    """Degrees of freedom by one of `DEGREES`, refused where none are left."""
    freedom = DEGREES[df](design.degrees_of_freedom_in(members), columns)
    if freedom <= 0:
        raise ValueError(
            f"survey_regression: {freedom} degrees of freedom ({df}) for {columns} coefficients; declare "
            "fewer terms, or df `design`"
        )
    return freedom
