"""The empirical null: how systematic error is distributed over negative controls, whose true log ratio is 0.

Schuemie, Ryan, DuMouchel, Suchard and Madigan 2014, Stat Med 33:209, let the estimate of each control be normal about a
systematic error that is normal among controls, and fit its mean and sd by maximum likelihood. Here each control brings
the profile of its likelihood instead of a normal, so that controls with few events say neither more nor less than they
know (Schuemie, Chen, Madigan and Suchard 2022, Stat Methods Med Res 31:438, for rare outcomes).

With few controls the maximum likelihood of the sd is often 0 although it is not, and the mean looks better known than it
is. A penalty on the sd mends the first: that of Chung, Rabe-Hesketh, Dorie, Gelman and Liu 2013, Psychometrika 78:685
(`gamma`), which keeps it off 0 about one standard error, or a half-normal prior of scale 0.5 as Röver and others 2021,
Res Synth Methods 12:448, recommend for log ratios (`half-normal`). Integrating over what mean and sd may be, with a
flat prior of the mean, mends the second: for controls known exactly and no penalty that gives a t distribution of two
degrees of freedom less than there are controls.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.interpolate import PchipInterpolator
from scipy.optimize import minimize, root
from scipy.special import ndtr

from backpain.calibrate.integrals import Integrals
from backpain.calibrate.profiles import Curve, curves_of

Numbers = NDArray[np.float64]

LEAST_CONTROLS = 3
LARGEST_SD = 3.0
HALF_NORMAL_SCALE = 0.5
# Means and sds of the posterior's grid; the share of it that may lie on an edge; how often the grid may be widened.
GRID, ON_EDGE, MOST_WIDENINGS = 81, 1e-9, 12
# A share of the posterior at the largest sd from which on the controls do not tell how large it is.
UNBOUNDED = 1e-3
NEGLIGIBLE = 1e-12
# Where a smooth distribution is worked out to be interpolated; they crowd about the middle.
KNOTS = 801


class Penalty(NamedTuple):
    """What is added to the log-likelihood for an sd, and its slope."""

    value: Callable[[Numbers], Numbers]
    slope: Callable[[float], float]


def _log(sd: Numbers) -> Numbers:
    with np.errstate(divide="ignore"):
        return np.asarray(np.log(sd))


PENALTIES = {
    "none": Penalty(np.zeros_like, lambda sd: 0.0),
    "gamma": Penalty(_log, lambda sd: 1 / sd if sd > 0 else np.inf),
    "half-normal": Penalty(
        lambda sd: -((sd / HALF_NORMAL_SCALE) ** 2) / 2,
        lambda sd: -sd / HALF_NORMAL_SCALE**2,
    ),
}


@dataclass(frozen=True)
class Null:
    """A fitted distribution of systematic error, on the log scale.

    Attributes
    ----------
    mean, sd
        At the top of the (penalised) likelihood.
    controls, penalty
        How many controls, and what is added for the sd.
    means, sds, weight
        The posterior of mean and sd: (m,) and (k,) values and (k, m) shares, adding up to 1.
    """

    mean: float
    sd: float
    controls: int
    penalty: str
    means: Numbers
    sds: Numbers
    weight: Numbers

    @property
    def mean_se(self) -> float:
        """Posterior standard deviation of the mean."""
        return _spread(self.means, self.weight.sum(axis=0))

    @property
    def sd_se(self) -> float:
        """Posterior standard deviation of the sd."""
        return _spread(self.sds, self.weight.sum(axis=1))

    def parts(self, uncertain: bool) -> tuple[Numbers, Numbers, Numbers]:
        """Means, sds and shares of the normals that systematic error is a mixture of: one, or all of the posterior."""
        if not uncertain:
            return np.array([self.mean]), np.array([self.sd]), np.ones(1)
        share = self.weight.ravel()
        held = share > NEGLIGIBLE * share.max()
        means, sds = (part.ravel()[held] for part in np.meshgrid(self.means, self.sds))
        return means, sds, share[held] / share[held].sum()

    def cdf(self, points: Numbers, uncertain: bool = True) -> Numbers:
        """(points,) probability that the systematic error is at most this; interpolated where there are many points."""
        means, sds, share = self.parts(uncertain)
        asked = np.asarray(points, dtype=float)
        reach = float((np.abs(means - self.mean) + 9 * sds).max())
        dense = len(share) > 1 and len(asked) > KNOTS
        at = self.mean + reach * np.sinh(6 * np.linspace(-1, 1, KNOTS)) / np.sinh(6) if dense else asked
        scale = np.maximum(sds, 1e-12)
        found = np.array([share @ ndtr((point - means) / scale) for point in at])
        return np.asarray(np.interp(asked, at, found, left=0.0, right=1.0)) if dense else found

    def row(self) -> dict[str, Any]:
        """The null as a tidy row: mean and sd with posterior standard deviations and 95 % intervals."""
        mean_low, mean_high = _interval(self.means, self.weight.sum(axis=0))
        sd_low, sd_high = _interval(self.sds, self.weight.sum(axis=1))
        return {
            "controls": self.controls,
            "penalty": self.penalty,
            "mean": self.mean,
            "mean_se": self.mean_se,
            "mean_low": mean_low,
            "mean_high": mean_high,
            "sd": self.sd,
            "sd_se": self.sd_se,
            "sd_low": sd_low,
            "sd_high": sd_high,
        }


def _spread(values: Numbers, share: Numbers) -> float:
    middle = share @ values
    return float(np.sqrt(share @ (values - middle) ** 2))


def _interval(values: Numbers, share: Numbers) -> tuple[float, float]:
    """The middle 95 % of a posterior on even values, each share spread smoothly over its cell."""
    edges = np.concatenate([values[:1], (values[1:] + values[:-1]) / 2, values[-1:]])
    reached = PchipInterpolator(edges, np.concatenate([[0.0], np.cumsum(share)]))
    fine = np.linspace(edges[0], edges[-1], 50 * len(edges))
    low, high = np.interp([0.025, 0.975], reached(fine), fine)
    return float(low), float(high)


def fit_null(profiles: pd.DataFrame, penalty: str = "half-normal", largest_sd: float = LARGEST_SD) -> Null:
    """Fit the distribution of systematic error to negative controls.

    Parameters
    ----------
    profiles
        Rows (control, value, log_likelihood), the values log odds ratios or log risk ratios, all of one kind.
    penalty
        `none`, `gamma` or `half-normal`, as above.
    largest_sd
        No larger sd is thought of.

    Raises
    ------
    ValueError
        If there are fewer than three controls, a profile cannot be read, the penalty is not known, or the controls
        leave the sd without bound.
    """
    return Fitting(curves_of(profiles), penalty, largest_sd).null()


class Fitting:
    """The controls with what they say of mean and sd, kept so that leaving one out costs little."""

    def __init__(self, curves: list[Curve], penalty: str, largest_sd: float) -> None:
        if penalty not in PENALTIES:
            raise ValueError(f"the penalty {penalty!r} is not known; choose {', '.join(PENALTIES)}")
        if len(curves) < LEAST_CONTROLS:
            raise ValueError(f"{len(curves)} negative controls tell no distribution; give at least {LEAST_CONTROLS}")
        # ASSUME: given their systematic errors the controls' estimates are independent, though the same people are in all.
        # ASSUME: no prior of the mean; the sd of log ratios is half-normal of scale 0.5 unless another penalty is chosen.
        self.curves, self.penalty, self.largest_sd = curves, penalty, largest_sd
        self.integrals = Integrals(curves, largest_sd)
        self.added = PENALTIES[penalty]
        self.top = self.mode(self.integrals)
        self.means, self.sds, self.said = self._grid()

    def mode(self, integrals: Integrals) -> tuple[float, float]:
        """Mean and sd at the top of the penalised likelihood, an sd of 0 included."""

        def minus(at: Numbers) -> tuple[float, Numbers]:
            value, by_mean, by_sd = integrals.score(float(at[0]), float(at[1]))
            added = float(self.added.value(at[1:])[0])
            return -(value + added), -np.array([by_mean, by_sd + self.added.slope(float(at[1]))])

        middle = float(np.median([curve.values[np.argmax(curve.heights)] for curve in integrals.curves]))
        bounds = [(integrals.nodes[0], integrals.nodes[-1]), (1e-9, self.largest_sd)]
        starts = [np.array([middle, sd]) for sd in (0.05, 0.3, 1.0) if sd < self.largest_sd]
        tried = [minimize(minus, start, jac=True, bounds=bounds, method="L-BFGS-B") for start in starts]
        best = min((each for each in tried if np.isfinite(each.fun)), key=lambda each: float(each.fun)).x
        if best[1] > 1e-3:  # the steps above end a little before the top
            polished = root(lambda at: minus(at)[1], best, tol=1e-13)
            if np.abs(polished.x - best).max() < 1e-2 and polished.x[1] > 0:
                best = polished.x
        return float(best[0]), 0.0 if best[1] <= 1e-6 else float(best[1])

    def _grid(self) -> tuple[Numbers, Numbers, Numbers]:
        """(m,) means, (k,) sds and (controls, k, m) log-likelihoods there, wide enough for all of the posterior."""
        mean, sd = self.top
        widths = np.array([curve.width for curve in self.curves])
        reach = 10 * float(((widths**2 + sd**2) ** -1.0).sum()) ** -0.5
        most = min(self.largest_sd, 2 * sd + 2 * reach)
        left = right = reach
        for _ in range(MOST_WIDENINGS):
            means, sds = np.linspace(mean - left, mean + right, GRID), np.linspace(0, most, GRID)
            said = np.stack([self.integrals.marginal(means, each) for each in sds], axis=1)
            share = self.posterior(said.sum(axis=0), sds)
            by_mean, at_most = share.sum(axis=0), share[-1].sum()
            if at_most > UNBOUNDED and most >= self.largest_sd:
                raise ValueError(
                    f"{len(self.curves)} negative controls leave the sd of systematic error without bound; give more "
                    "controls, or the penalty half-normal"
                )
            enough = at_most < ON_EDGE or most >= self.largest_sd
            if enough and by_mean[0] < ON_EDGE and by_mean[-1] < ON_EDGE:
                break
            left, right = (
                side * (1.6 if edge >= ON_EDGE else 1) for side, edge in ((left, by_mean[0]), (right, by_mean[-1]))
            )
            most = most if enough else min(1.6 * most, self.largest_sd)
        return means, sds, said

    def posterior(self, said: Numbers, sds: Numbers) -> Numbers:
        """(k, m) shares from log-likelihoods of all controls."""
        height = said + self.added.value(sds)[:, None]
        share = np.exp(height - height.max())
        # The trapezoidal rule, exact but for rounding in the mean and for whatever is even in the sd, as p is.
        share[[0, -1]] /= 2
        return np.asarray(share / share.sum())

    def null(self, without: int | None = None) -> Null:
        """The null of all controls, or of all but one."""
        said, top = self.said.sum(axis=0), self.top
        if without is not None:
            said = self._all_but(without)
            top = self.mode(self.integrals.without(without))
        return Null(
            *top,
            len(self.curves) - (without is not None),
            self.penalty,
            self.means,
            self.sds,
            self.posterior(said, self.sds),
        )

    def _all_but(self, place: int) -> Numbers:
        # Added anew rather than taken off: a control far out has minus infinity at some means.
        return np.asarray(np.delete(self.said, place, axis=0).sum(axis=0))
