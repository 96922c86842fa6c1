"""What a normal distribution of systematic error makes of each control's likelihood: the integral of one over the other."""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy

import numpy as np
from numpy.polynomial.hermite import hermgauss
from numpy.typing import NDArray

from backpain.calibrate.profiles import Curve

Numbers = NDArray[np.float64]

# Nodes for each width of the narrowest profile, and how far beyond a normal's mean they reach in its sd.
FINE, FAR = 3, 9.0
# An sd of fewer steps than this is narrower than the nodes can hold.
NARROW = 2.0
MOST_NODES = 40_000
HERMITE = hermgauss(21)


class Integrals:
    """Profiles laid on common, evenly spaced nodes.

    The trapezoidal rule on even nodes errs by exp(-2 (pi sd / step)^2) with a normal (Trefethen and Weideman 2014,
    SIAM Rev 56:385), less than 1e-34 from `NARROW` steps on; narrower normals are integrated by Gauss and Hermite's
    rule, across which profiles bend little.

    Attributes
    ----------
    curves
        The controls' profiles.
    nodes, heights
        (nodes,), and (controls, nodes) the likelihood there, 1 at the top of each.
    """

    def __init__(self, curves: Sequence[Curve], largest_sd: float) -> None:
        self.curves = list(curves)
        middle = [float(curve.values[np.argmax(curve.heights)]) for curve in curves]
        step = min(curve.width for curve in curves) / FINE
        low, high = min(middle) - FAR * largest_sd, max(middle) + FAR * largest_sd
        count = int(np.ceil((high - low) / step)) + 1
        if count > MOST_NODES:
            raise ValueError(
                f"profiles: the narrowest of the controls needs {count} nodes from {low:.3g} to {high:.3g}; "
                "declare a smaller largest_sd"
            )
        self.step = step
        self.nodes: Numbers = low + step * np.arange(count, dtype=float)
        self.heights = np.exp([curve.at(self.nodes) for curve in curves])

    def without(self, place: int) -> Integrals:
        """The same without one of the controls."""
        other = copy(self)
        other.curves = self.curves[:place] + self.curves[place + 1 :]
        other.heights = np.delete(self.heights, place, axis=0)
        return other

    def marginal(self, means: Numbers, sd: float) -> Numbers:
        """(controls, means) log of the integral of each likelihood over a normal of these means and this sd."""
        with np.errstate(divide="ignore"):
            return np.asarray(np.log(self._moments(means, sd, 1)[0]))

    def score(self, mean: float, sd: float) -> tuple[float, float, float]:
        """Log-likelihood of all controls at one mean and sd, and its slopes in both."""
        whole, first, second = (part[:, 0] for part in self._moments(np.array([mean]), sd, 3))
        if not (whole > 0).all():
            return -np.inf, 0.0, 0.0
        slopes = float((first / whole).sum()), float((second / whole - 1).sum())
        return float(np.log(whole).sum()), slopes[0] / sd if sd > 0 else 0.0, slopes[1] / sd if sd > 0 else 0.0

    def _moments(self, means: Numbers, sd: float, wanted: int) -> list[Numbers]:
        """(controls, means) integrals of the likelihood times 1, z and z squared, z the standardised error; the first few."""
        if sd < NARROW * self.step:
            root, weight = HERMITE
            z, density = np.sqrt(2) * root, weight / np.sqrt(np.pi)
            points = means[:, None] + sd * z
            likelihood = np.exp([curve.at(points) for curve in self.curves])
            return [likelihood @ (density * z**power) for power in range(wanted)]
        near = slice(*np.searchsorted(self.nodes, [means.min() - FAR * sd, means.max() + FAR * sd]))
        z = (self.nodes[near, None] - means) / sd
        density = np.exp(-(z**2) / 2) * (self.step / sd / np.sqrt(2 * np.pi))
        return [self.heights[:, near] @ (density * z**power) for power in range(wanted)]
