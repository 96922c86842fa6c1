"""Newton's method over blocks of people, and words for the fits it cannot settle."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve, qr

from backpain.regression.families import State
from backpain.regression.rows import Rows, blocks

Numbers = NDArray[np.float64]

MOST_STEPS, MOST_HALVINGS, TOLERANCE = 50, 30, 1e-10
# A column that the others explain but for this share of its sum of squares is taken as their copy.
DEPENDENT = 1e-10
# The smallest eigenvalue of a scaled information, and share of what it was at the start, that still says something.
FLAT = 1e-13
# From so many people on, the steps begin where one in so many of them would end.
MANY, ONE_IN, NEAR = 100_000, 16, 1e-4


class Kind(Protocol):
    """What Newton's method and its users ask of a family; shapes as in `Family`."""

    @property
    def name(self) -> str: ...
    @property
    def ratio(self) -> str: ...
    @property
    def levels(self) -> tuple[str, ...]: ...
    @property
    def canonical(self) -> bool: ...
    def names(self, columns: Sequence[str]) -> list[str]: ...
    def moved_by(self, columns: Sequence[int], size: int) -> list[int]: ...
    def refuses(self, outcome: Numbers) -> str: ...
    def stuck(self, outcome: Numbers) -> str: ...
    def stopped(self, rows: Rows, coefficients: Numbers) -> str: ...
    def spread(self, lengths: Numbers) -> Numbers: ...
    def start(self, rows: Rows) -> Numbers: ...
    def at(self, rows: Rows, coefficients: Numbers) -> State: ...
    def information(self, rows: Rows, coefficients: Numbers) -> Numbers: ...
    def score(self, rows: Rows, coefficients: Numbers) -> Numbers: ...
    def predict(self, rows: Rows, coefficients: Numbers) -> Numbers: ...
    def gradient(self, rows: Rows, coefficients: Numbers) -> Numbers: ...


class Solution(NamedTuple):
    """Coefficients at the top, their weighted log-likelihood and information, or why there are none."""

    coefficients: Numbers
    likelihood: float
    information: Numbers
    reason: str


def solve(
    rows: Rows, kind: Kind, names: Sequence[str], start: Numbers | None = None, information: str = "expected"
) -> Solution:
    """Fit a family to people with weights of mean 1.

    Parameters
    ----------
    names
        The matrix' columns, for messages.
    start
        Coefficients to begin from, such as those under other weights.
    information
        `expected` or `observed`.

    Returns
    -------
    The fit, or the reason why there is none: nobody's outcome differs, the columns depend on one another, the
    outcome is separated, or the steps do not settle.
    """
    few = rows.take(slice(None, None, ONE_IN)) if len(rows.outcome) >= MANY else rows
    if reason := _constant(rows) or dependence(few, rows, names):
        return _none(kind, names, reason)
    lengths = kind.spread(np.sqrt(np.einsum("ij,ij->j", few.matrix, few.matrix) / len(few.matrix)))
    if start is None and few is not rows and not _constant(few):
        few = few.contiguous()
        near, _, kept = _climb(few, kind, kind.start(few), lengths, NEAR)
        start = None if kept else near
    found, state, kept = _climb(rows, kind, kind.start(rows) if start is None else start, lengths, TOLERANCE)
    if kept and start is not None:  # what a few or other weights allow may be impossible for these
        found, state, kept = _climb(rows, kind, kind.start(rows), lengths, TOLERANCE)
    if kept:
        return _none(kind, names, _runaway(rows, kind, names, found, kept))
    observed = kind.canonical or information == "observed"
    return Solution(found, state.likelihood, state.information if observed else _information(rows, kind, found), "")


def inverse(information: Numbers) -> Numbers:
    """Inverse of a positive definite matrix, scaled first so that columns of any size keep their digits."""
    size = np.sqrt(np.diag(information))
    found = cho_solve(cho_factor(information / np.outer(size, size)), np.eye(len(size)))
    return np.asarray((found + found.T) / 2 / np.outer(size, size))


def dependence(few: Rows, rows: Rows, names: Sequence[str]) -> str:
    """Which columns the others already say; empty when none. Columns apart among a few are so among all."""
    if _apart(few.matrix) or (few is not rows and _apart(rows.matrix)):
        return ""
    x = rows.matrix
    length = np.sqrt(np.einsum("ij,ij->j", x, x))
    if (length == 0).any():
        return f"nobody has {', '.join(names[int(place)] for place in np.flatnonzero(length == 0))}"
    _, triangle, order = qr(x / length, mode="economic", pivoting=True)
    size = np.zeros(x.shape[1])
    size[: len(triangle)] = np.abs(np.diag(triangle))
    extra = [names[int(place)] for place in sorted(order[size**2 <= DEPENDENT])] or [names[int(order[-1])]]
    return f"linearly dependent columns: {', '.join(extra)} can be said by the others"


def _apart(x: Numbers) -> bool:
    gram = np.zeros((x.shape[1], x.shape[1]))
    for place in blocks(*x.shape):
        gram += x[place].T @ x[place]
    length = np.sqrt(np.diag(gram))
    if len(x) < x.shape[1] or (length == 0).any():
        return False
    return bool(np.linalg.eigvalsh(gram / np.outer(length, length))[0] > DEPENDENT)


def _none(kind: Kind, names: Sequence[str], reason: str) -> Solution:
    k = len(kind.names(names))
    return Solution(np.full(k, np.nan), np.nan, np.full((k, k), np.nan), reason)


def _constant(rows: Rows) -> str:
    if rows.outcome.min() == rows.outcome.max():
        return f"everyone has outcome {rows.outcome[0]:.6g}, so there is nothing to fit"
    return ""


def _sum(rows: Rows, kind: Kind, coefficients: Numbers) -> State:
    """The state of all people at some coefficients, summed over blocks."""
    k = len(coefficients)
    likelihood, score, information = 0.0, np.zeros(k), np.zeros((k, k))
    for _, block in rows.blocks():
        here = kind.at(block, coefficients)
        likelihood += here.likelihood
        score += here.score
        information += here.information
    return State(likelihood, score, information)


def _information(rows: Rows, kind: Kind, coefficients: Numbers) -> Numbers:
    found = np.zeros((len(coefficients),) * 2)
    for _, block in rows.blocks():
        found += kind.information(block, coefficients)
    return found


def _climb(rows: Rows, kind: Kind, start: Numbers, lengths: Numbers, tolerance: float) -> tuple[Numbers, State, str]:
    """Newton's method until a step moves nothing: coefficients, the state there, and what kept it, if anything did."""
    b, here = start, _sum(rows, kind, start)
    begun = here
    for _ in range(MOST_STEPS):
        if not np.isfinite(here.likelihood) or _flat(here, begun):
            break
        step = _step(here)
        if np.abs(step * lengths).max() <= tolerance * (1 + np.abs(b * lengths).max()):
            return b + step, here, ""
        b, here = _uphill(rows, kind, b, step, here)
    return b, here, "flat" if _flat(here, begun) else "steps"


def _step(here: State) -> Numbers:
    """Newton's step, columns scaled first so that those of any size keep their digits."""
    size = np.sqrt(np.diag(here.information))
    factor = cho_factor(here.information / np.outer(size, size))
    return np.asarray(cho_solve(factor, here.score / size) / size)


def _flat(here: State, begun: State) -> bool:
    """Whether the likelihood hardly bends in some direction any more, so that a step there is made of rounding."""
    now, before = np.diag(here.information), np.diag(begun.information)
    if not (np.isfinite(here.information).all() and (now > FLAT * before).all() and (now > 0).all()):
        return True
    size = np.sqrt(now)
    return bool(np.linalg.eigvalsh(here.information / np.outer(size, size))[0] < FLAT)


def _uphill(rows: Rows, kind: Kind, b: Numbers, step: Numbers, here: State) -> tuple[Numbers, State]:
    """The next coefficients and their state, the likelihood never lower than before by more than rounding."""
    for halved in range(MOST_HALVINGS):
        tried = b + step / 2**halved
        there = _sum(rows, kind, tried)
        if there.likelihood >= here.likelihood - 1e-9 * abs(here.likelihood):
            break
    return tried, there


def _runaway(rows: Rows, kind: Kind, names: Sequence[str], b: Numbers, kept: str) -> str:
    """Words for a fit that runs away: the level whose outcomes are all alike where there is one."""
    for place, name in enumerate(names):
        column = rows.matrix[:, place]
        if set(np.unique(column)) != {0.0, 1.0}:
            continue
        for on in (1.0, 0.0):
            if words := kind.stuck(rows.outcome[column == on]):
                return f"separated: all those {'who have' if on else 'without'} {name} {words}"
    if words := kind.stopped(rows, b):
        return words
    if kept == "flat":
        return "separated: a combination of columns tells the outcomes apart, so coefficients run to infinity"
    return f"the steps did not settle within {MOST_STEPS}"
