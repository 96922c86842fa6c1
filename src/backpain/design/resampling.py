"""Makes replicate weights from a design: balanced half-samples, jackknives and the rescaled bootstrap."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from backpain.design.hadamard import hadamard, is_hadamard
from backpain.design.replicates import CENTRES, Replicated
from backpain.design.sample import Design
from backpain.design.stages import Codes, Numbers


@dataclass(frozen=True)
class Choice:
    """What a kind of replicates may be asked for; see `replicated`."""

    replicates: int
    rho: float
    seed: int | None
    matrix: Numbers | None


def replicated(
    design: Design,
    kind: str,
    replicates: int = 500,
    rho: float = 0.5,
    seed: int | None = None,
    centre: str = "replicates",
    matrix: ArrayLike | None = None,
    workers: int = 1,
) -> Replicated:
    """Make replicate weights from the PSUs of a design.

    Parameters
    ----------
    kind
        `brr`: balanced half-samples (McCarthy 1969, Rev Int Stat Inst 37:239); `fay`: the same with the other half
        weighted by rho (Judkins 1990, J Off Stat 6:223); `jk1`: leave out one PSU, whatever its stratum;
        `jkn`: leave out one PSU of one stratum; `bootstrap`: n - 1 of a stratum's n PSUs drawn with
        replacement (Rao, Wu and Yue 1992, Surv Methodol 18:209).
    replicates, seed
        Of the bootstrap; the seed has to be given, so that the result can be made again.
    centre
        Deviations from the mean of the `replicates`, or from the full-sample `estimate`.
    matrix
        A Hadamard matrix of 1 and -1 for brr and fay, at least one larger than the strata; None makes the
        smallest known here. Another matrix gives another, equally valid standard error.
    workers
        How many threads share the refits of models.

    Raises
    ------
    ValueError
        For brr and fay where a stratum has other than two PSUs; for lonely PSUs under a policy that the kind
        cannot follow; without a seed; for a matrix that is none of Hadamard's; for a design of several stages
        or with populations that the kind has no rule for.
    """
    if kind not in KINDS or centre not in CENTRES:
        raise ValueError(
            f"replicates: kind {kind!r} and centre {centre!r}: choose from {', '.join(KINDS)} and from {', '.join(CENTRES)}"
        )
    if len(design.stages) > 1 and design.stages[1].counts:
        raise ValueError(
            "replicates: this design has populations and further stages, which replicates of its PSUs leave "
            "out; use linearisation"
        )
    given = None if matrix is None else np.asarray(matrix, dtype=float)
    factor, scale = KINDS[kind](design, Choice(replicates, rho, seed, given))
    base, full = design.weight, np.ones(len(factor))
    return Replicated(base, base, design.psu, full, factor, scale, centre, kind, workers=workers)


def _brr(design: Design, choice: Choice) -> tuple[Numbers, Numbers]:
    return _half_samples(design, choice.matrix, 0.0)


def _fay(design: Design, choice: Choice) -> tuple[Numbers, Numbers]:
    if not 0 <= choice.rho < 1:
        raise ValueError(f"replicates: Fay's rho is {choice.rho:g}; it is 0 or more and below 1, 0.3 or 0.5 by custom")
    return _half_samples(design, choice.matrix, choice.rho)


def _half_samples(design: Design, matrix: Numbers | None, rho: float) -> tuple[Numbers, Numbers]:
    stage = design.stages[0]
    other = stage.drawn != 2
    if other.any():
        named = ", ".join(
            f"{name} has {count}" for name, count in zip(stage.strata[other], stage.drawn[other], strict=True)
        )
        raise ValueError(
            f"replicates: half-samples need two PSUs in every stratum, and {int(other.sum())} strata have others "
            f"({named[:120]}); use `jkn` or `bootstrap`"
        )
    if (stage.left < 1).any():
        raise ValueError("replicates: half-samples know no finite populations; use `jkn`")
    strata = len(stage.strata)
    signs = hadamard(strata + 1) if matrix is None else matrix
    if not is_hadamard(signs) or len(signs) <= strata:
        raise ValueError(f"replicates: give a Hadamard matrix of 1 and -1 with at least {strata + 1} rows")
    half = _place_in_stratum(stage.unit_stratum) == 0
    # An entry like the matrix's first keeps the second PSU, as in R, so that the same matrix gives the same halves where strata
    # are in the same order (R sorts numbers as text).
    keep = (signs[1 + stage.unit_stratum] != signs[0, 0]) == half[:, None]
    count = signs.shape[1]
    return np.where(keep, 2 - rho, rho), np.full(count, 1 / (count * (1 - rho) ** 2))


def _place_in_stratum(unit_stratum: Codes) -> Codes:
    """(PSUs,) 0 for the first PSU of each stratum, 1 for the second, and so on."""
    order = np.argsort(unit_stratum, kind="stable")
    drawn = np.bincount(unit_stratum)
    place = np.empty(len(order), dtype=np.intp)
    place[order] = np.arange(len(order)) - np.repeat(np.cumsum(drawn) - drawn, drawn)
    return place


def _jk1(design: Design, choice: Choice) -> tuple[Numbers, Numbers]:
    stage = design.stages[0]
    if len(stage.strata) > 1:
        raise ValueError(f"replicates: jk1 is for one stratum and this design has {len(stage.strata)}; use `jkn`")
    psus = len(stage.unit_stratum)
    if psus < 2:
        raise ValueError("replicates: a jackknife needs two PSUs or more")
    factor = np.full((psus, psus), psus / (psus - 1))
    np.fill_diagonal(factor, 0.0)
    return factor, np.full(psus, float(stage.left[0]) * (psus - 1) / psus)


def _jkn(design: Design, choice: Choice) -> tuple[Numbers, Numbers]:
    stage = design.stages[0]
    _check_lonely(design, ("remove", "adjust", "average"), "jkn")
    drawn, lonely, strata = stage.drawn, stage.lonely, len(stage.strata)
    own = stage.unit_stratum
    psus = np.arange(len(own))
    size = drawn[own]
    factor = np.where(own[:, None] == own[None, :], (size / np.maximum(size - 1, 1))[None, :], 1.0)
    factor[psus, psus] = 0.0
    scale = stage.left[own] * (size - 1) / size
    if lonely.any() and design.lonely == "adjust":
        # Without a lonely PSU, what is left stands for all strata (as R's jknweights does).
        alone = lonely[own]
        factor[:, alone] = strata / (strata - 1)
        factor[psus[alone], psus[alone]] = 0.0
        scale[alone] = (strata - 1) / strata
    used = scale > 0
    factor, scale = factor[:, used], scale[used]
    if lonely.any() and design.lonely == "average":
        scale = scale * len(psus) / len(scale)
    return factor, scale


def _bootstrap(design: Design, choice: Choice) -> tuple[Numbers, Numbers]:
    stage = design.stages[0]
    _check_lonely(design, ("remove",), "bootstrap")
    if choice.seed is None or choice.replicates < 2:
        raise ValueError(
            "replicates: a bootstrap needs `seed`, so that it can be made again, and two replicates or more"
        )
    generator = np.random.default_rng(choice.seed)
    factor = np.ones((len(stage.unit_stratum), choice.replicates))
    for stratum, drawn in enumerate(stage.drawn):
        if drawn < 2:
            continue
        inside = np.flatnonzero(stage.unit_stratum == stratum)
        counts = generator.multinomial(drawn - 1, np.full(drawn, 1 / drawn), choice.replicates).T
        # Rao, Wu and Yue's formula with m = n - 1 draws: n / (n - 1) per draw where the population is endless.
        pull = np.sqrt(max(stage.left[stratum], 0.0))
        factor[inside] = 1 - pull + pull * drawn / (drawn - 1) * counts
    return factor, np.full(choice.replicates, 1 / (choice.replicates - 1))


def _check_lonely(design: Design, known: tuple[str, ...], kind: str) -> None:
    lonely = design.stages[0].lonely
    if lonely.any() and design.lonely not in known:
        named = ", ".join(map(str, design.strata[lonely][:10]))
        raise ValueError(
            f"replicates: {int(lonely.sum())} strata have a single PSU ({named}) and {kind} cannot follow `lonely: "
            f"{design.lonely}`; declare {' or '.join(f'`{name}`' for name in known)}, or merge the strata"
        )


KINDS: dict[str, Callable[[Design, Choice], tuple[Numbers, Numbers]]] = {
    "brr": _brr,
    "fay": _fay,
    "jk1": _jk1,
    "jkn": _jkn,
    "bootstrap": _bootstrap,
}


__all__ = ["KINDS", "replicated"]
