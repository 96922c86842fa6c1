"""Draws of categories: multinomial (two levels: logistic) regression with random intercepts, by Newton's method.

Coefficients are drawn from their approximate posterior, normal about the maximum of the likelihood with the inverse
information as covariance (Rubin 1987, Multiple Imputation for Nonresponse in Surveys, 169-170).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from backpain.impute.information import Cells, Factor, NotFitted, information

Numbers = NDArray[np.float64]
Drawn = tuple[Numbers, Numbers | None]

MOST_STEPS, MOST_HALVINGS = 60, 12
# Stop when a further step would gain this much log-likelihood: coefficients are then off by 1e-5 standard errors.
GAIN = 1e-10
# The information is taken anew once coefficients have moved this many standard errors away from where it was.
MOVED = 0.1
# Candidates of which one is kept where the posterior is far from normal.
CANDIDATES = 50


@dataclass(frozen=True)
class Mode:
    """Where the posterior is highest.

    Attributes
    ----------
    coefficients, intercepts
        (levels - 1, columns) and (groups, levels - 1).
    factor
        The information there.
    variance
        Of the intercepts, as it was given.
    farthest
        Largest log-odds of a row, intercepts apart.
    """

    coefficients: Numbers
    intercepts: Numbers | None
    factor: Factor
    variance: float
    farthest: float


def probabilities(x: Numbers, coefficients: Numbers, intercepts: Numbers | None = None) -> tuple[Numbers, Numbers]:
    """(levels - 1, rows) probability of each level but the first, and (rows,) minus the first's log-probability.

    intercepts is (levels - 1, rows), each row's own.
    """
    eta = coefficients @ x
    if intercepts is not None:
        eta += intercepts
    top = np.maximum(eta.max(axis=0), 0.0)
    eta -= top
    np.exp(eta, out=eta)
    total = eta.sum(axis=0)
    total += np.exp(-top)
    eta /= total
    return eta, top + np.log(total)


def climb(cells: Cells, start: Mode | None = None, gain: float = GAIN, moved: float = MOVED) -> Mode:
    """Find the mode, from the last iteration's where there is one.

    The information of the start, or of the last place where it was taken, gives the steps as long as each gains at
    most a third of what the one before did; a chain's models differ little from one iteration to the next.

    Raises
    ------
    NotFitted
        If the information is singular or the steps do not settle.
    """
    q, p = len(cells.hit), len(cells.x)
    b = np.zeros((q, p)) if start is None else start.coefficients
    u = _first_intercepts(cells, start)
    factor = start.factor if start is not None and 0.5 < start.variance / cells.variance < 2 else None
    here = _at(cells, b, u)
    far, last = 0.0, np.inf
    for _ in range(MOST_STEPS):
        fresh = factor is None
        if factor is None:
            factor, far = information(cells, here.probability), 0.0
        score, pulled = _scores(cells, here.probability, u)
        step, shift = factor.solve(score, pulled)
        worth = float((score * step).sum()) + (
            0.0 if shift is None or pulled is None else float((pulled * shift).sum())
        )
        if worth < gain:
            break
        if worth > last / 3 and not fresh:
            factor, last = None, np.inf
            continue
        b, u, here, length = _forward(cells, here, b, u, step, shift)
        if length < 1 and not fresh:
            factor = None
        far, last = far + length * np.sqrt(worth), worth
    else:
        raise NotFitted(f"the steps did not settle within {MOST_STEPS}")
    if far > moved:
        factor = information(cells, here.probability)
    assert factor is not None
    return Mode(b, u, factor, cells.variance, float(np.abs(b @ cells.x).max()))


def draw(mode: Mode, rng: np.random.Generator) -> tuple[Numbers, Numbers | None, float]:
    """Coefficients and intercepts from the normal about the mode, and its log-density up to a constant."""
    step, shift, height = mode.factor.draw(rng, mode.coefficients.shape)
    moved = None if mode.intercepts is None or shift is None else mode.intercepts + shift
    return mode.coefficients + step, moved, height


def resample(cells: Cells, mode: Mode, rng: np.random.Generator) -> Drawn:
    """One of several draws about the mode, with chances in proportion to posterior over normal density.

    Sampling importance resampling (Rubin 1987, J Am Stat Assoc 82:543). Under perfect prediction the likelihood falls
    steeply to one side and hardly to the other; a normal about its mode would now and then turn the effect round.
    """
    candidates = [draw(mode, rng) for _ in range(CANDIDATES)]
    gain = np.array([_at(cells, b, u).value - height for b, u, height in candidates])
    chance = np.exp(gain - gain.max())
    b, u, _ = candidates[int(rng.choice(CANDIDATES, p=chance / chance.sum()))]
    return b, u


@dataclass(frozen=True)
class _Here:
    probability: Numbers
    value: float


def _first_intercepts(cells: Cells, start: Mode | None) -> Numbers | None:
    if cells.group is None:
        return None
    if start is not None and start.intercepts is not None:
        return start.intercepts
    return np.zeros((cells.groups, len(cells.hit)))


def _own(cells: Cells, u: Numbers | None) -> Numbers | None:
    """(q, rows) each row's group intercepts; 0 for pseudo-observations."""
    if u is None or cells.group is None:
        return None
    return np.concatenate([u, np.zeros((1, u.shape[1]))]).T[:, cells.group]


def _at(cells: Cells, b: Numbers, u: Numbers | None) -> _Here:
    own = _own(cells, u)
    probability, normaliser = probabilities(cells.x, b, own)
    value = float((cells.met * b).sum()) - float(normaliser @ cells.share)
    if u is not None:
        value += float((cells.met_in_group * u).sum()) - 0.5 * float(((u @ cells.precision) * u).sum())
    return _Here(probability, value)


def _scores(cells: Cells, probability: Numbers, u: Numbers | None) -> tuple[Numbers, Numbers | None]:
    expected = probability * cells.share
    score = cells.met - expected @ cells.x.T
    return score, None if u is None else cells.met_in_group - cells.by_group(expected).T - u @ cells.precision


def _forward(
    cells: Cells, here: _Here, b: Numbers, u: Numbers | None, step: Numbers, shift: Numbers | None
) -> tuple[Numbers, Numbers | None, _Here, float]:
    """The step, halved until the likelihood does not fall; and its length."""
    length = 1.0
    for _ in range(MOST_HALVINGS):
        tried = b + length * step
        moved = None if u is None or shift is None else u + length * shift
        there = _at(cells, tried, moved)
        if there.value >= here.value - 1e-10 * abs(here.value):
            return tried, moved, there, length
        length /= 2
    raise NotFitted("no step raises the likelihood")
