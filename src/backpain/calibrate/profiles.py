"""Likelihood profiles of controls: what each control's data say of its log ratio, as a curve rather than as two numbers.

A profile is rows (control, value, log_likelihood): the log-likelihood, but for a constant, at values of a log odds
ratio or log risk ratio. With few events it leans to one side, which an estimate and its standard error cannot tell.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.interpolate import CubicSpline

Numbers = NDArray[np.float64]

COLUMNS = ["control", "value", "log_likelihood"]
# A profile has fallen off where it is this far below its top; at least so many of its values lie above that.
FALLEN, LEAST_VALUES = 12.0, 7
# The slope, about the events of an arm, from which on a profile falls however far its grid reaches.
STEEP = 0.1
# How many standard errors a made profile reaches, by how many values.
REACH, VALUES = 8.0, 513


@dataclass(frozen=True)
class Curve:
    """The profile of one control.

    Attributes
    ----------
    name
        The control.
    values, heights
        (points,) ascending values, and the log-likelihood there, 0 at the highest.
    """

    name: str
    values: Numbers
    heights: Numbers

    def at(self, points: Numbers) -> Numbers:
        """The log-likelihood at any values: a cubic spline within the grid, straight on beyond its ends."""
        # ASSUME: beyond its grid a profile goes on along its last slope, which where it is concave is never too low.
        inside = np.clip(points, self.values[0], self.values[-1])
        beyond = points - inside
        left, right = self.ends
        return np.asarray(self._spline(inside) + np.where(beyond < 0, left, right) * beyond)

    @cached_property
    def _spline(self) -> CubicSpline:
        return CubicSpline(self.values, self.heights)

    @cached_property
    def ends(self) -> tuple[float, float]:
        """The slopes with which it goes on beyond its grid, below and above."""
        # From the last two values: a spline's own end slopes may point the wrong way where a curve is flat. Never upward.
        steps = np.diff(self.heights) / np.diff(self.values)
        return max(float(steps[0]), 0.0), min(float(steps[-1]), 0.0)

    @cached_property
    def estimate(self) -> float:
        """The value at the top; missing where the profile still rises at an end of its grid."""
        place = int(np.argmax(self.heights))
        if place in (0, len(self.values) - 1):
            return float("nan")
        roots = self._spline.derivative().roots(extrapolate=False)
        near = roots[(roots >= self.values[place - 1]) & (roots <= self.values[place + 1])]
        return float(near[np.argmax(self._spline(near))]) if len(near) else float(self.values[place])

    @cached_property
    def se(self) -> float:
        """The standard error that the bend at the top amounts to; missing without a top."""
        if np.isnan(self.estimate):
            return float("nan")
        bend = -float(self._spline.derivative(2)(self.estimate))
        return bend**-0.5 if bend > 0 else float("nan")

    @property
    def falls_off(self) -> bool:
        """Whether it falls on both sides, on its grid or beyond, so that a density can be made of it."""
        left, right = self.ends
        below, above = self.heights[0] < -FALLEN or left > STEEP, self.heights[-1] < -FALLEN or right < -STEEP
        return bool(below and above)

    @property
    def width(self) -> float:
        """About one standard error: half of where the curve lies within one half of its top; for choosing a grid."""
        if np.isfinite(self.se):
            return self.se
        return float(np.ptp(self.values[self.heights > -0.5])) / 2 or float(np.diff(self.values).min())


def curves_of(profiles: pd.DataFrame) -> list[Curve]:
    """Read profiles.

    Parameters
    ----------
    profiles
        Rows (control, value, log_likelihood), the values of a control in any order.

    Returns
    -------
    One curve per control, in the order in which they first appear.

    Raises
    ------
    ValueError
        If a column is absent or a number missing, a value stands twice, or a control's grid is too coarse or its
        profile flat.
    """
    absent = [name for name in COLUMNS if name not in profiles]
    if absent:
        raise ValueError(f"profiles: there is no column {', '.join(absent)}; give {', '.join(COLUMNS)}")
    if not len(profiles):
        raise ValueError("profiles: there is no control; give the profile of each")
    return [_curve(name, rows) for name, rows in profiles.groupby("control", sort=False)]


def _curve(name: Hashable, rows: pd.DataFrame) -> Curve:
    ordered = rows.sort_values("value")
    values, heights = (ordered[column].to_numpy(dtype=float) for column in COLUMNS[1:])
    if not (np.isfinite(values).all() and np.isfinite(heights).all()):
        raise ValueError(f"profiles: control {name!r} has missing or infinite numbers; give finite ones")
    if (np.diff(values) <= 0).any():
        raise ValueError(f"profiles: control {name!r} has a value twice; give each once")
    heights = heights - heights.max()
    if (heights > -FALLEN).sum() < LEAST_VALUES:
        raise ValueError(
            f"profiles: control {name!r} has fewer than {LEAST_VALUES} values within {FALLEN:.0f} of its top; "
            "give a finer grid"
        )
    if np.ptp(heights) < 1e-8:
        raise ValueError(f"profiles: the profile of control {name!r} is flat; it has no events, so leave it out")
    return Curve(str(name), values, heights)


def normal_profile(control: str, estimate: float, se: float) -> pd.DataFrame:
    """The profile of an estimate that is taken as normal.

    Parameters
    ----------
    estimate, se
        On the log scale.

    Raises
    ------
    ValueError
        If one is not finite or the standard error is not above 0.
    """
    if not (np.isfinite(estimate) and np.isfinite(se) and se > 0):
        raise ValueError(f"{control}: estimate {estimate} and standard error {se} make no profile; give finite numbers")
    steps = np.linspace(-REACH, REACH, VALUES)
    return rows_of(control, estimate + se * steps, -(steps**2) / 2)


def rows_of(control: str, values: ArrayLike, heights: ArrayLike) -> pd.DataFrame:
    """A profile's rows, its highest at 0."""
    curve = np.asarray(heights, dtype=float)
    return pd.DataFrame({"control": control, "value": values, "log_likelihood": curve - curve.max()}, columns=COLUMNS)
