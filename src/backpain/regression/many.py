"""One logistic regression under many weight vectors at once: replicates, bootstraps, imputations.

The model matrix, the blocks of people and the information of each block are shared. Each replicate starts from the
full-sample fit with the information that its own weights give there, and goes on by BFGS steps (Nocedal and Wright
2006, Numerical Optimization, 6.1), which need gradients only; the gradients of all replicates are two matrix
products for each block. People whose weight is zero in a replicate are passed over, and no (people, replicates)
array is ever made.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from backpain.design import Replicated
from backpain.regression.logistic import logistic

Numbers = NDArray[np.float64]
Codes = NDArray[np.intp]
Marks = NDArray[np.bool_]

# Numbers of a block's probabilities: what fits a core's own cache, and still outweighs the calls.
CACHED = 24_000
MOST_STEPS, TOLERANCE = 40, 1e-10
# Fewer people than this in a unit are not worth a block of their own.
LEAST_IN_UNIT = 8


@dataclass(frozen=True)
class Block:
    """People who share a unit, or a stretch of people who do not.

    Attributes
    ----------
    rows
        Positions in the order of the `Batch`.
    active
        The replicates in which they count.
    factor
        (active,) where they share a unit, (rows, active) where not.
    """

    rows: slice
    active: slice | Codes
    factor: Numbers


@dataclass(frozen=True)
class Batch:
    """People in blocks, to be gone over again and again.

    Attributes
    ----------
    order
        (people,) where each position of the batch stands among the people; those of weight 0 are left out.
    base
        (people,) in the order of the batch.
    blocks
        The blocks, which cover every position once.
    replicates
        How many replicates there are.
    workers
        How many threads share the blocks.
    """

    order: Codes
    base: Numbers
    blocks: tuple[Block, ...]
    replicates: int
    workers: int = 1

    @classmethod
    def of(cls, design: Replicated, mask: ArrayLike | None = None) -> Batch:
        """Put the people of a mask into blocks: (people,) True for those who count at all."""
        counted = design.base > 0
        if mask is not None:
            counted = counted & np.asarray(mask, dtype=bool)
        chosen = np.flatnonzero(counted)
        units = np.bincount(design.unit[chosen], minlength=len(design.factor))
        if len(chosen) < LEAST_IN_UNIT * np.count_nonzero(units):
            blocks = tuple(_stretches(design.factor, design.unit[chosen]))
            return cls(chosen, design.base[chosen], blocks, design.replicates, design.workers)
        order = chosen[np.argsort(design.unit[chosen], kind="stable")]
        ends = np.cumsum(units)
        blocks = tuple(
            block
            for unit in np.flatnonzero(units)
            for block in _unit_blocks(design.factor[unit], int(ends[unit] - units[unit]), int(ends[unit]))
        )
        return cls(order, design.base[order], blocks, design.replicates, design.workers)

    def sums(self, columns: Numbers) -> Numbers:
        """(replicates, k) weighted sums of (people of the batch, k) columns that no replicate changes."""
        total = np.zeros((self.replicates, columns.shape[1]))
        weighted = self.base[:, None] * columns
        for block in self.blocks:
            if block.factor.ndim == 1:
                total[block.active] += block.factor[:, None] * weighted[block.rows].sum(0)
            else:
                total[block.active] += block.factor.T @ weighted[block.rows]
        return total


def _unit_blocks(factor: Numbers, start: int, end: int) -> Iterator[Block]:
    active = np.flatnonzero(factor)
    if not len(active):
        return
    chosen = slice(None) if len(active) == len(factor) else active
    width = max(LEAST_IN_UNIT, CACHED // len(active))
    for first in range(start, end, width):
        yield Block(slice(first, min(first + width, end)), chosen, factor[active])


def _stretches(factor: Numbers, unit: Codes) -> Iterator[Block]:
    width = max(1, CACHED // factor.shape[1])
    for first in range(0, len(unit), width):
        rows = slice(first, min(first + width, len(unit)))
        yield Block(rows, slice(None), factor[unit[rows]])


# Further weights of a block's people in its replicates: (block, people of the batch) -> (rows, active).
Extra = Callable[[Block], Numbers]


@dataclass(frozen=True)
class Many:
    """The fits of one model under many weight vectors.

    Attributes
    ----------
    coefficients
        (replicates, k); missing where the fit did not settle.
    failed
        Which replicates those are, each with the reason.
    steps
        How often all gradients were computed.
    """

    coefficients: Numbers
    failed: dict[int, str]
    steps: int


def logistic_many(
    matrix: Numbers, outcome: Numbers, batch: Batch, start: Numbers, columns: list[str], extra: Extra | None = None
) -> Many:
    """Fit a logistic regression under every weight vector of a batch.

    Parameters
    ----------
    matrix, outcome
        (people of the batch, k) and (people of the batch,), in the batch's order.
    start
        (k,) coefficients of the full-sample fit.
    extra
        Weights that differ by replicate, such as 1 / retention.

    Returns
    -------
    Many
        Coefficients agree with a fit of their own to 1e-9 of the largest. A column that is zero for everybody who
        counts in a replicate keeps its starting coefficient, which then touches nobody.
    """
    size = np.sqrt(np.einsum("ij,ij->j", matrix, matrix) / max(1, len(matrix)))
    size[size == 0] = 1.0
    z = matrix / size
    passes = _Passes(z, outcome, batch, extra)
    b = np.tile(start * size, (batch.replicates, 1))
    inverse = passes.inverse_information(start * size)
    gradient = passes.gradient(b)
    moving = np.ones(len(b), dtype=bool)
    steps = 1
    while steps < MOST_STEPS:
        step = np.einsum("rij,rj->ri", inverse, gradient)
        step[~moving] = 0.0
        b = b + step
        moving = np.abs(step).max(axis=1) > TOLERANCE * (1 + np.abs(b).max(axis=1))
        if not moving.any():
            break
        found = passes.gradient(b)
        _bfgs(inverse, step, gradient - found)
        gradient = found
        steps += 1
    return _finished(b, moving | ~np.isfinite(b).all(axis=1), z, outcome, batch, extra, columns, size, steps)


class _Passes:
    """What is computed for all replicates in one pass over the blocks."""

    def __init__(self, z: Numbers, outcome: Numbers, batch: Batch, extra: Extra | None) -> None:
        self.z, self.batch, self.extra = z, batch, extra
        self.weighted = batch.base[:, None] * z
        self.outcome = outcome[:, None]
        # Without further weights the outcome's part of the gradient never changes.
        self.constant = batch.sums(outcome[:, None] * z) if extra is None else 0.0
        # Steps are measured per person of mean weight 1, so that no scale of the weights overflows.
        self.scale = 1 / max(float(batch.base.sum()), np.finfo(float).tiny)

    def gradient(self, b: Numbers) -> Numbers:
        """(replicates, k) of the log-likelihood at (replicates, k) coefficients."""
        turned = np.ascontiguousarray(b.T)
        total = self._shared(lambda blocks: self._added(turned, blocks))
        return np.asarray((total.T + self.constant) * self.scale)

    def _shared(self, work: Callable[[Sequence[Block]], Numbers]) -> Numbers:
        """What every worker makes of its share of the blocks, added in the workers' order; numpy lets them run at once."""
        workers = self.batch.workers
        if workers == 1:
            return work(self.batch.blocks)
        shares = [self.batch.blocks[first::workers] for first in range(workers)]
        with ThreadPoolExecutor(workers) as threads:
            return np.asarray(sum(threads.map(work, shares)))

    def _added(self, turned: Numbers, blocks: Sequence[Block]) -> Numbers:
        total = np.zeros(turned.shape)
        for block in blocks:
            p = probability(self.z[block.rows], turned[:, block.active])
            if self.extra is not None:
                np.subtract(self.outcome[block.rows], p, out=p)
                p *= self.extra(block)
            if block.factor.ndim == 2:
                p *= block.factor
            part = self.weighted[block.rows].T @ p
            if block.factor.ndim == 1:
                part *= block.factor
            total[:, block.active] += part if self.extra is not None else -part
        return total

    def inverse_information(self, b: Numbers) -> Numbers:
        """(replicates, k, k) inverse of the information of each replicate at one set of coefficients."""
        p = probability(self.z, b)
        spread = self.batch.base * p * (1 - p)
        k = self.z.shape[1]
        total = np.zeros((self.batch.replicates, k, k))
        for block in self.batch.blocks:
            rows, extra = self.z[block.rows], 1.0 if self.extra is None else self.extra(block)
            own = spread[block.rows, None] * rows
            if block.factor.ndim == 1 and self.extra is None:
                total[block.active] += block.factor[:, None, None] * (rows.T @ own)
            else:
                weight = np.broadcast_to(block.factor * extra, (len(rows), self._active(block)))
                total[block.active] += (weight.T @ (rows[:, :, None] * own[:, None, :]).reshape(-1, k * k)).reshape(
                    -1, k, k
                )
        total *= self.scale
        diagonal = np.einsum("rii->ri", total)
        diagonal[diagonal <= 0] = 1.0
        return _inverses(total)

    def _active(self, block: Block) -> int:
        return self.batch.replicates if isinstance(block.active, slice) else len(block.active)


def probability(matrix: Numbers, coefficients: Numbers) -> Numbers:
    """1 / (1 + exp(-matrix @ coefficients)), in place; log-odds beyond 700 are as good as 700."""
    odds = matrix @ coefficients
    np.clip(odds, -700, 700, out=odds)
    np.negative(odds, out=odds)
    np.exp(odds, out=odds)
    odds += 1.0
    np.reciprocal(odds, out=odds)
    return np.asarray(odds)


def _inverses(matrices: Numbers) -> Numbers:
    try:
        return np.asarray(np.linalg.inv(matrices))
    except np.linalg.LinAlgError:
        return np.asarray(np.linalg.pinv(matrices, hermitian=True))


def _bfgs(inverse: Numbers, step: Numbers, fall: Numbers) -> None:
    """Teach each inverse what its step did to the gradient; steps that did not curve upwards teach nothing."""
    curve = np.einsum("ri,ri->r", step, fall)
    use = curve > 0
    rho = np.where(use, 1 / np.where(use, curve, 1.0), 0.0)
    turned = np.einsum("rij,rj->ri", inverse, fall)
    bent = rho * (1 + rho * np.einsum("ri,ri->r", fall, turned))
    inverse += bent[:, None, None] * step[:, :, None] * step[:, None, :]
    cross = rho[:, None, None] * turned[:, :, None] * step[:, None, :]
    inverse -= cross + cross.transpose(0, 2, 1)


def _finished(
    b: Numbers,
    open_: Marks,
    z: Numbers,
    outcome: Numbers,
    batch: Batch,
    extra: Extra | None,
    columns: list[str],
    size: Numbers,
    steps: int,
) -> Many:
    """Fit what did not settle by Newton's method, each by itself, which also says why a fit cannot be had."""
    coefficients, failed = b / size, {}
    for replicate in np.flatnonzero(open_):
        weight = np.zeros(len(z))
        for block in batch.blocks:
            active = np.arange(batch.replicates)[block.active]
            place = np.flatnonzero(active == replicate)
            if len(place):
                own = block.factor[place[0]] if block.factor.ndim == 1 else block.factor[:, place[0]]
                further = 1.0 if extra is None else extra(block)[:, place[0]]
                weight[block.rows] = batch.base[block.rows] * own * further
        held = (z[weight > 0] != 0).any(axis=0)
        fit = logistic(z[:, held], outcome, weight, [name for name, kept in zip(columns, held, strict=True) if kept])
        if fit.converged:
            coefficients[replicate, held] = fit.coefficients / size[held]
        else:
            coefficients[replicate] = np.nan
            failed[int(replicate)] = fit.reason
    return Many(coefficients, failed, steps)


__all__ = ["Batch", "Block", "Extra", "Many", "logistic_many", "probability"]
