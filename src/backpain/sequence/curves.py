"""Standardised cumulative incidence of each arm, how each person moves it, and how the coefficients do.

What would have happened, had all person-trials been in the arm: their risks, predicted over the whole follow-up from their
covariates at time zero, averaged with the survey weight (g-formula). With a competing event both hazards make the
curve: the event comes only to those whom neither met before (Young et al. 2020, Stat Med 39:1199).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from backpain.design import grouped
from backpain.sequence.expand import Block
from backpain.sequence.hazard import FAR, Fitted

Numbers = NDArray[np.float64]


class Curves(NamedTuple):
    """Risks by the end of each period of follow-up.

    `risk` is (2, longest), the untreated first; `own` (people, 2 longest) is how each person moves them while the
    coefficients stay; `slope` has a (2 longest, k) matrix for the event's coefficients, and one for death's.
    """

    risk: Numbers
    own: Numbers
    slope: list[Numbers]


def curves_of(fits: list[Fitted], weight: Numbers, influence: bool = True) -> Curves:
    """The curves of both arms.

    Parameters
    ----------
    fits
        The event's hazard, and death's if there is one, of the same person-trials.
    weight
        (people,) survey weights.
    influence
        Whether to find `own` and `slope`; they are zero otherwise.
    """
    trials, longest = fits[0].pooled.trials, fits[0].pooled.times.shape[1]
    people = trials.periods.people if influence else 0
    risk, own = np.zeros((2, longest)), np.zeros((people, 2 * longest))
    slope = [np.zeros((2 * longest, len(fit.coefficients))) for fit in fits]
    total = 0.0
    for block in trials.blocks:
        share = _counted(fits[0], block) * weight[trials.person[block.trials]]
        total += share.sum()
        for arm in (0, 1):
            part = slice(arm * longest, (arm + 1) * longest)
            hazards = [_hazard(fit, block, arm) for fit in fits]
            gain, reached = _incidence(hazards)
            risk[arm] += reached @ share
            if influence:
                _add_own(own[:, part], reached * share, trials.person[block.trials])
                for place, fit in enumerate(fits):
                    # Only the event's own hazard brings the event.
                    brings = gain if place == 0 else None
                    slope[place][part] += _slope(fit, block, arm, hazards[place], brings, gain, reached, share)
    risk /= total
    if influence:
        mass = np.zeros(people)
        for block in trials.blocks:
            counted = _counted(fits[0], block)
            mass += np.bincount(trials.person[block.trials], counted, minlength=people)
        own -= (mass * weight)[:, None] * risk.ravel()
        own /= total
        slope = [each / total for each in slope]
    return Curves(risk, own, slope)


def _counted(fit: Fitted, block: Block) -> Numbers:
    """(person-trials,) 1 once for each person and time zero: with clones, for those of the treated arm."""
    trials = fit.pooled.trials
    if not trials.cloned:
        return np.ones(block.trials.stop - block.trials.start)
    return trials.arm[block.trials].astype(float)


def _hazard(fit: Fitted, block: Block, arm: int) -> Numbers:
    """(longest, person-trials) probability in each period, had they been in the arm."""
    pooled = fit.pooled
    q = pooled.covariates.shape[1]
    own = np.exp(-np.clip(pooled.covariates[block.trials] @ fit.coefficients[:q], -FAR, FAR))
    at = np.exp(-np.clip(pooled.times[arm] @ fit.coefficients[q:], -FAR, FAR))
    found = np.multiply.outer(at, own)
    found += 1.0
    np.reciprocal(found, out=found)
    return found


def _incidence(hazards: list[Numbers]) -> tuple[Numbers, Numbers]:
    """(longest, person-trials) probability of the event in each period, and until its end."""
    event = hazards[0]
    stay = 1.0 - event
    chance = event
    if len(hazards) == 2:
        # ASSUME: within a period death comes before the event.
        stay = stay * (1.0 - hazards[1])
        chance = event * (1.0 - hazards[1])
    gain, reached = chance.copy(), chance.copy()
    for k in range(1, len(gain)):
        stay[k] *= stay[k - 1]
        gain[k] *= stay[k - 1]
        np.add(reached[k - 1], gain[k], out=reached[k])
    return gain, reached


def _summed_along(values: Numbers) -> Numbers:
    """(k, person-trials) sums over the times up to each, in place: faster than cumsum along the first axis."""
    for k in range(1, len(values)):
        values[k] += values[k - 1]
    return values


def _slope(
    fit: Fitted,
    block: Block,
    arm: int,
    hazard: Numbers,
    own_gain: Numbers | None,
    gain: Numbers,
    reached: Numbers,
    share: Numbers,
) -> Numbers:
    """(longest, k) slopes of the weighted sums of risks in a hazard's coefficients.

    The risk until k moves with the log-odds at l by the gain at l (the event's own hazard only) less the hazard at l times
    what is gained from l to k.
    """
    z, times = fit.pooled.covariates[block.trials], fit.pooled.times[arm]
    before = reached - gain
    before *= hazard
    if own_gain is not None:
        before += own_gain
    # (k, l): summed over person-trials, for l up to k.
    weighted = reached * share
    by_time = np.tril((before @ share)[None, :] - weighted @ hazard.T)
    # (k, person-trials): summed over l up to k.
    weighted *= _summed_along(hazard.copy())
    along = _summed_along(before)
    along *= share
    along -= weighted
    return np.hstack([along @ z, by_time @ times])


def _add_own(own: Numbers, weighted: Numbers, person: NDArray[np.int32]) -> None:
    """Add (longest, person-trials) weighted risks to their people's."""
    low, high = int(person.min()), int(person.max()) + 1
    own[low:high] += grouped(np.ascontiguousarray(weighted.T), (person - low).astype(np.intp), high - low)


__all__ = ["Curves", "curves_of"]
