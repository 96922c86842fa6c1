"""Pooled logistic regression of nested trials, fitted without making their rows.

A row's log-odds is what its person-trial adds (covariates at time zero, the trial's number) plus what its time and arm add,
of which there are few. Sums over rows are therefore sums over person-trials and over times and arms.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve

from backpain.design import grouped
from backpain.sequence.expand import Block, Trials

Numbers = NDArray[np.float64]
Marks = NDArray[np.bool_]

MOST_STEPS, TOLERANCE, STRIDE = 50, 1e-10, 4.0
# The smallest eigenvalue of a scaled information that still says something.
FLAT = 1e-12
# Log-odds beyond this are as good as it, and their exponentials can be multiplied.
FAR = 300.0


@dataclass(frozen=True)
class Pooled:
    """What a pooled regression needs of the rows.

    Attributes
    ----------
    trials
        The person-trials.
    covariates
        (person-trials, q) with an intercept.
    times
        (arms, longest, f) columns of time and arm: of the untreated first.
    names
        Those of the q and then the f columns.
    event
        (person-trials,) whether the last row has what is modelled.
    left_out
        (person-trials,) whether the last row does not count, because something else came before.
    weight
        (rows of all blocks,) of each row, a block after the other and time by time; mean about 1.
    """

    trials: Trials
    covariates: Numbers
    times: Numbers
    names: list[str]
    event: Marks
    left_out: Marks
    weight: Numbers

    def blocks(self) -> Iterator[tuple[Block, Numbers]]:
        """The blocks, each with its rows' weights."""
        before = 0
        for block in self.trials.blocks:
            size = int(block.offset[-1])
            yield block, self.weight[before : before + size]
            before += size


class Odds(NamedTuple):
    """A block's rows at one time: who, their weights, residuals and spreads, all times the weight but the probability."""

    k: int
    among: slice
    residual: Numbers
    spread: Numbers


@dataclass(frozen=True)
class Fitted:
    """A pooled regression at its converged fit: (q + f,) coefficients, and the inverse information."""

    pooled: Pooled
    coefficients: Numbers
    bread: Numbers

    @property
    def names(self) -> list[str]:
        """The coefficients' names."""
        return self.pooled.names


def fit_pooled(pooled: Pooled, what: str, start: Numbers | None = None) -> Fitted:
    """Newton's method.

    Parameters
    ----------
    what
        The outcome's name, for messages.
    start
        Coefficients to begin from.

    Raises
    ------
    ValueError
        If columns depend on one another, or the outcome is separated.
    """
    q = pooled.covariates.shape[1]
    b = _begin(pooled) if start is None else start.copy()
    scale = _scale(pooled)
    for _ in range(MOST_STEPS):
        score, information = _state(pooled, b)
        step = _step(score, information, pooled.names, what, b * scale)
        stride = np.abs(step * scale).max()
        if stride <= TOLERANCE * (1 + np.abs(b * scale).max()):
            return Fitted(pooled, b + step, _inverse(information))
        b = b + step * min(1.0, STRIDE / stride)
        if np.abs(b[1:q] * scale[1:q]).max(initial=0) > FAR or np.abs(b[q:] * scale[q:]).max(initial=0) > FAR:
            break
    away = np.argsort(-np.abs(b * scale))[:2]
    raise ValueError(
        f"{what}: the pooled regression did not settle within {MOST_STEPS} steps: some columns tell all events apart "
        f"({', '.join(pooled.names[int(place)] for place in away)}); declare fewer terms or a simpler form of time"
    )


def rows_of(pooled: Pooled, b: Numbers, block: Block, weight: Numbers) -> Iterator[Odds]:
    """A block's rows, one time after another."""
    q = pooled.covariates.shape[1]
    where = block.trials
    own = np.exp(-np.clip(pooled.covariates[where] @ b[:q], -FAR, FAR))
    arm = pooled.trials.arm[where].astype(np.intp)
    at = np.exp(-np.clip(pooled.times @ b[q:], -FAR, FAR))
    for k in range(len(block.going) - 1):
        n = int(block.going[k])
        p = 1.0 / (1.0 + own[:n] * at[:, k][arm[:n]])
        w = weight[block.offset[k] : block.offset[k] + n]
        # Those whose last row this is stand at the end.
        ends = slice(where.start + int(block.going[k + 1]), where.start + n)
        if pooled.left_out[ends].any():
            w = w.copy()
            w[int(block.going[k + 1]) :][pooled.left_out[ends]] = 0.0
        residual = -w * p
        spread = residual * (p - 1.0)
        residual[int(block.going[k + 1]) :] += w[int(block.going[k + 1]) :] * pooled.event[ends]
        yield Odds(k, slice(where.start, where.start + n), residual, spread)


def _state(pooled: Pooled, b: Numbers) -> tuple[Numbers, Numbers]:
    """The score and the information at some coefficients."""
    q, f = pooled.covariates.shape[1], pooled.times.shape[2]
    longest = pooled.times.shape[1]
    score_z, information_z = np.zeros(q), np.zeros((q, q))
    # By arm and time: residuals, spreads, and spreads times the covariates.
    cells_e, cells_s, cells_z = np.zeros((2, longest)), np.zeros((2, longest)), np.zeros((2, longest, q))
    for block, weight in pooled.blocks():
        z = pooled.covariates[block.trials]
        treated = pooled.trials.arm[block.trials].astype(float)
        sum_e, sum_s = np.zeros(len(z)), np.zeros(len(z))
        for k, among, e, s in rows_of(pooled, b, block, weight):
            n = among.stop - among.start
            sum_e[:n] += e
            sum_s[:n] += s
            e_treated, s_treated = e @ treated[:n], s * treated[:n]
            both = z[:n].T @ np.column_stack([s, s_treated])
            cells_e[:, k] += e.sum() - e_treated, e_treated
            # The intercept is the first column.
            cells_s[:, k] += both[0, 0] - both[0, 1], both[0, 1]
            cells_z[0, k] += both[:, 0] - both[:, 1]
            cells_z[1, k] += both[:, 1]
        score_z += z.T @ sum_e
        information_z += z.T @ (z * sum_s[:, None])
    t = pooled.times.reshape(-1, f)
    cross = cells_z.reshape(-1, q).T @ t
    information = np.block([[information_z, cross], [cross.T, t.T @ (t * cells_s.reshape(-1, 1))]])
    return np.concatenate([score_z, t.T @ cells_e.ravel()]), information


def score_rows(fitted: Fitted, block: Block, weight: Numbers) -> Iterator[tuple[Odds, Numbers]]:
    """A block's rows time by time, with their (rows, k) scores."""
    pooled = fitted.pooled
    q = pooled.covariates.shape[1]
    z = pooled.covariates[block.trials]
    arm = pooled.trials.arm[block.trials].astype(np.intp)
    for odds in rows_of(pooled, fitted.coefficients, block, weight):
        n = len(odds.residual)
        score = np.empty((n, len(fitted.coefficients)))
        np.multiply(z[:n], odds.residual[:, None], out=score[:, :q])
        np.multiply(pooled.times[:, odds.k][arm[:n]], odds.residual[:, None], out=score[:, q:])
        yield odds, score


def _begin(pooled: Pooled) -> Numbers:
    """Everyone at the mean risk of a row."""
    begun = np.zeros(len(pooled.names))
    events = total = 0.0
    for block, weight in pooled.blocks():
        total += weight.sum()
        last = pooled.trials.length[block.trials] - 1
        place = block.offset[last] + np.arange(len(last))
        events += weight[place] @ pooled.event[block.trials]
    share = events / total
    begun[0] = np.log(share / (1 - share))
    return begun


def _scale(pooled: Pooled) -> Numbers:
    """(k,) root of the mean square of each column, over person-trials and over times."""
    z = np.sqrt(np.einsum("ij,ij->j", pooled.covariates, pooled.covariates) / len(pooled.covariates))
    t = np.sqrt((pooled.times**2).mean((0, 1)))
    return np.concatenate([z, t])


def _step(score: Numbers, information: Numbers, names: Sequence[str], what: str, far: Numbers) -> Numbers:
    size = np.sqrt(np.diag(information))
    if not (size > 0).all():
        named = ", ".join(names[int(place)] for place in np.flatnonzero(~(size > 0)))
        raise ValueError(f"{what}: nobody's rows have {named}; declare fewer terms")
    scaled = information / np.outer(size, size)
    values, vectors = np.linalg.eigh(scaled)
    if values[0] < FLAT:
        involved = [names[int(place)] for place in np.argsort(-np.abs(vectors[:, 0]))[:3]]
        why = "the outcome is separated" if np.abs(far).max() > 10 else "columns depend on one another"
        raise ValueError(f"{what}: {why} ({', '.join(involved)}); declare fewer terms or a simpler form of time")
    return np.asarray(cho_solve(cho_factor(scaled), score / size) / size)


def _inverse(information: Numbers) -> Numbers:
    size = np.sqrt(np.diag(information))
    found = cho_solve(cho_factor(information / np.outer(size, size)), np.eye(len(size)))
    return np.asarray((found + found.T) / 2 / np.outer(size, size))


__all__ = ["Fitted", "Odds", "Pooled", "fit_pooled", "grouped", "rows_of", "score_rows"]
