"""What is believed of the parameters of a bias, and draws from it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import betaincinv, ndtr, ndtri

Numbers = NDArray[np.float64]

# How many numbers each kind of belief is said by.
KINDS = {"fixed": 1, "uniform": 2, "trapezoidal": 4, "beta": 2, "log-normal": 2}


@dataclass(frozen=True)
class Prior:
    """A declared belief about one parameter.

    Attributes
    ----------
    kind, numbers
        `fixed` (value); `uniform` (low, high); `trapezoidal` (low, flat from, flat to, high; a triangle where the flat
        is a point); `beta` (two shapes); `log-normal` (the 2.5 and 97.5 percentiles), for ratios.

    Raises
    ------
    ValueError
        For an unknown kind, and for numbers that are too few, not finite, out of order or not positive shapes.
    """

    kind: str
    numbers: tuple[float, ...]

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"prior: kind {self.kind!r} is not known; choose from {', '.join(KINDS)}")
        if len(self.numbers) != KINDS[self.kind]:
            raise ValueError(f"prior: {self.kind} takes {KINDS[self.kind]} numbers, not {len(self.numbers)}")
        if not all(math.isfinite(number) for number in self.numbers):
            raise ValueError(f"prior: {self.kind} {self.numbers} has a number that is not finite")
        if self.kind in ("beta", "log-normal") and min(self.numbers) <= 0:
            raise ValueError(f"prior: the numbers of {self.kind} must be above 0, not {self.numbers}")
        if self.kind in ("uniform", "trapezoidal", "log-normal") and list(self.numbers) != sorted(self.numbers):
            raise ValueError(f"prior: the numbers of {self.kind} must not fall, as {self.numbers} do")

    @property
    def ends(self) -> tuple[float, float]:
        """The least and the greatest value it can take."""
        if self.kind == "beta":
            return 0.0, 1.0
        if self.kind == "log-normal":
            return 0.0, math.inf
        return self.numbers[0], self.numbers[-1]

    def quantile(self, share: Numbers) -> Numbers:
        """(n,) its quantiles at shares within 0 and 1."""
        first, last = self.numbers[0], self.numbers[-1]
        if self.kind == "fixed" or (first == last and self.kind != "beta"):
            return np.full(len(share), first)
        if self.kind == "uniform":
            return np.asarray(first + share * (last - first))
        if self.kind == "beta":
            return np.asarray(betaincinv(first, last, share))
        if self.kind == "log-normal":
            # The ends are 2.5 and 97.5 percentiles: 1.96 standard deviations from the middle.
            middle, spread = math.log(first * last) / 2, math.log(last / first) / (2 * ndtri(0.975))
            return np.asarray(np.exp(middle + spread * ndtri(share)))
        return _trapezoidal(share, self.numbers)


def require(prior: Prior, name: str, low: float = 0.0, high: float = 1.0) -> None:
    """Refuse a belief that reaches beyond what the parameter can be.

    Raises
    ------
    ValueError
        Naming the parameter.
    """
    least, most = prior.ends
    if least < low or most > high:
        raise ValueError(
            f"{name}: the prior {prior.kind} {prior.numbers} reaches beyond {low:g} to {high:g}; narrow its ends"
        )


def together(priors: list[Prior], correlation: float, draws: int, generator: np.random.Generator) -> list[Numbers]:
    """Draws of several parameters, (draws,) each, whose normal scores have one correlation.

    Raises
    ------
    ValueError
        If the correlation is not within 0 and 1.
    """
    if not 0 <= correlation <= 1:
        raise ValueError(f"correlation: {correlation} is not within 0 and 1")
    shared = generator.standard_normal(draws)
    own = generator.standard_normal((len(priors), draws))
    scores = math.sqrt(correlation) * shared + math.sqrt(1 - correlation) * own
    return [prior.quantile(np.asarray(ndtr(score))) for prior, score in zip(priors, scores, strict=True)]


def _trapezoidal(share: Numbers, numbers: tuple[float, ...]) -> Numbers:
    """The inverse of the trapezoid's distribution function: a rising, a flat and a falling part."""
    low, start, stop, high = numbers
    height = 2 / (high + stop - start - low)
    rise, fall = height * (start - low) / 2, height * (high - stop) / 2
    up = low + np.sqrt(2 * share * (start - low) / height)
    flat = start + (share - rise) / height
    down = high - np.sqrt(2 * (1 - share) * (high - stop) / height)
    return np.asarray(np.where(share < rise, up, np.where(share <= 1 - fall, flat, down)))


__all__ = ["KINDS", "Prior", "require", "together"]
