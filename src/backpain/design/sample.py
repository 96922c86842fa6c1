"""Where each person stands in the sample, and the variance of a sum over people."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

Numbers = NDArray[np.float64]
Codes = NDArray[np.intp]
Marks = NDArray[np.bool_]

LONELY = ("fail", "remove", "adjust", "average")


@dataclass(frozen=True)
class Design:
    """The people at hand within the whole sample.

    Attributes
    ----------
    stratum, psu
        (people,) positions in `strata` and among the PSUs of the whole survey.
    weight
        (people,) survey weights, in people represented.
    psu_stratum
        (PSUs,) the stratum of each PSU of the survey, also of those that hold none of these people.
    strata
        (strata,) the strata's own names.
    lonely
        What a stratum of a single PSU adds to a variance, as in R's `options(survey.lonely.psu)`: `fail`
        refuses; `remove` adds nothing; `adjust` takes the PSU's total about zero, which is the grand mean for
        means, ratios and regressions (R does so for totals too); `average` adds what the other strata that
        hold the domain add on average.
    """

    stratum: Codes
    psu: Codes
    weight: Numbers
    psu_stratum: Codes
    strata: NDArray[Any]
    lonely: str = "adjust"

    @classmethod
    def of(
        cls,
        frame: pd.DataFrame,
        skeleton: pd.DataFrame | None = None,
        stratum: str | None = "stratum",
        cluster: str | None = "psu",
        weight: str = "weight",
        lonely: str = "adjust",
    ) -> Design:
        """Read the design from the people at hand.

        Parameters
        ----------
        frame
            One row per person with the three columns named.
        skeleton
            Every stratum and PSU of the survey (repeats are allowed), so that a frame of some of its people
            loses none; None takes those of the frame. PSUs are nested: PSU 1 of two strata is two PSUs.
        stratum, cluster
            Columns. None for stratum: one stratum. None for cluster: each row, by its index label, was drawn
            by itself. Both None: a simple random sample with replacement.
        lonely
            The policy for strata of one PSU.

        Raises
        ------
        ValueError
            If a column is absent, a stratum or PSU is missing, a weight is missing, infinite or negative, or
            somebody stands in a PSU that the skeleton does not list.
        """
        if lonely not in LONELY:
            raise ValueError(f"design: lonely {lonely!r} is not known; declare one of {', '.join(LONELY)}")
        pairs = _pairs(frame, stratum, cluster, "people")
        listed = pairs if skeleton is None else _pairs(skeleton, stratum, cluster, "skeleton")
        stratum_code, strata = pd.factorize(listed["stratum"], sort=True)
        psu, psus = pd.factorize(pd.MultiIndex.from_arrays([stratum_code, listed["psu"]]))
        if skeleton is not None:
            psu = _found(pairs, pd.Index(strata), psus)
        psu_stratum = np.asarray(psus.get_level_values(0), dtype=np.intp)
        return cls(
            stratum=psu_stratum[psu],
            psu=np.asarray(psu, dtype=np.intp),
            weight=_weights(frame, weight),
            psu_stratum=psu_stratum,
            strata=np.asarray(strata, dtype=object),
            lonely=lonely,
        )

    @property
    def psus_in_stratum(self) -> Codes:
        """(strata,) how many PSUs the survey drew in each stratum."""
        return np.bincount(self.psu_stratum, minlength=len(self.strata))

    @property
    def degrees_of_freedom(self) -> int:
        """PSUs less strata of the whole survey."""
        return len(self.psu_stratum) - len(self.strata)

    def degrees_of_freedom_in(self, domain: ArrayLike | None = None) -> int:
        """PSUs less strata that hold a domain member of positive weight (NCHS; R's `degf` of a subset)."""
        members = self.members(domain) & (self.weight > 0)
        return len(np.unique(self.psu[members])) - len(np.unique(self.stratum[members]))

    def members(self, domain: ArrayLike | None = None) -> Marks:
        """(people,) who is in the domain; None is everyone.

        Raises
        ------
        ValueError
            If the mask is not boolean, has gaps, or has another length.
        """
        if domain is None:
            return np.ones(len(self.weight), dtype=bool)
        mask = pd.Series(domain)
        if len(mask) != len(self.weight):
            raise ValueError(f"domain: {len(mask)} marks for {len(self.weight)} people; give one per person")
        if not pd.api.types.is_bool_dtype(mask.dtype) or mask.isna().any():
            raise ValueError("domain: give a boolean mask without missing values")
        return np.asarray(mask, dtype=bool)

    def covariance(self, influence: ArrayLike, domain: ArrayLike | None = None) -> Numbers:
        """Variance matrix of the column totals of an influence function.

        Parameters
        ----------
        influence
            (people, k) or (people,): what each person adds to each estimate, the weight already multiplied
            in, and zero outside the domain.
        domain
            (people,) mask; it decides only which lonely strata matter (`fail`, `average`).

        Returns
        -------
        (k, k) matrix.

        Raises
        ------
        ValueError
            If the shape is wrong, a value is not finite, or the policy refuses a lonely stratum.
        """
        values = self._checked(influence)
        totals = np.empty((len(self.psu_stratum), values.shape[1]))
        centres = np.empty((len(self.strata), values.shape[1]))
        for column in range(values.shape[1]):
            totals[:, column] = np.bincount(self.psu, values[:, column], minlength=len(totals))
            centres[:, column] = np.bincount(self.psu_stratum, totals[:, column], minlength=len(centres))
        drawn = self.psus_in_stratum
        alone = drawn == 1
        centres /= drawn[:, None]
        if self.lonely == "adjust":
            centres[alone] = 0.0
        scale = drawn / np.where(alone, 1, drawn - 1)
        deviation = totals - centres[self.psu_stratum]
        matrix = (deviation * scale[self.psu_stratum, None]).T @ deviation
        return np.asarray(matrix * self._lonely_factor(alone, domain))

    def _checked(self, influence: ArrayLike) -> Numbers:
        values = np.asarray(influence, dtype=float)
        values = values[:, None] if values.ndim == 1 else values
        if values.ndim != 2 or len(values) != len(self.weight):
            raise ValueError(f"influence: shape {values.shape} for {len(self.weight)} people; give a row per person")
        if not np.isfinite(values).all():
            raise ValueError("influence: some values are missing or infinite; give 0 to people outside the domain")
        return values

    def _lonely_factor(self, alone: Marks, domain: ArrayLike | None) -> float:
        """By how much `average` scales the other strata up; where `fail` stops."""
        if self.lonely not in ("fail", "average") or not alone.any():
            return 1.0
        held = np.zeros(len(alone), dtype=bool)
        held[self.stratum[self.members(domain)]] = True
        if self.lonely == "fail":
            if (held & alone).any():
                named = ", ".join(str(name) for name in self.strata[held & alone][:10])
                raise ValueError(
                    f"design: {int((held & alone).sum())} strata have a single PSU ({named}); declare "
                    "`lonely: adjust`, `average` or `remove`, or merge the strata"
                )
            return 1.0
        if not (held & ~alone).any():
            raise ValueError(
                "design: every stratum of the domain has a single PSU, so `lonely: average` has nothing to "
                "average; declare `adjust`"
            )
        return int(held.sum()) / int((held & ~alone).sum())


def _pairs(frame: pd.DataFrame, stratum: str | None, cluster: str | None, what: str) -> pd.DataFrame:
    """The stratum and PSU of each row; without a cluster the row itself is the PSU."""
    for column in (stratum, cluster):
        if column is not None and column not in frame:
            raise ValueError(f"{what}: there is no column {column!r}; name the design's columns, or None")
        if column is not None and frame[column].isna().any():
            raise ValueError(
                f"{what}: {column} is missing for {int(frame[column].isna().sum())} rows; everyone sampled has one"
            )
    if cluster is None and not frame.index.is_unique:
        raise ValueError(f"{what}: rows drawn one by one need an index without repeats")
    return pd.DataFrame(
        {
            "stratum": np.zeros(len(frame), dtype=int) if stratum is None else frame[stratum].to_numpy(),
            "psu": frame.index.to_numpy() if cluster is None else frame[cluster].to_numpy(),
        }
    )


def _found(pairs: pd.DataFrame, strata: pd.Index, psus: pd.Index) -> Codes:
    """Each row's PSU among those of the skeleton."""
    position = strata.get_indexer(pd.Index(pairs["stratum"]))
    psu = psus.get_indexer(pd.MultiIndex.from_arrays([position, pairs["psu"]]))
    if (psu < 0).any():
        strays = pairs[psu < 0].drop_duplicates().head(3).to_numpy().tolist()
        raise ValueError(
            f"design: {int((psu < 0).sum())} people stand in a stratum and PSU the skeleton does not list, "
            f"such as {strays}; take the skeleton from the whole survey"
        )
    return psu


def _weights(frame: pd.DataFrame, column: str) -> Numbers:
    if column not in frame:
        raise ValueError(f"people: there is no weight column {column!r}; name the survey's weight")
    weight = frame[column].to_numpy(dtype=float, na_value=np.nan)
    stray = ~np.isfinite(weight) | (weight < 0)
    if stray.any():
        raise ValueError(
            f"people: {column} is missing, infinite or negative for {int(stray.sum())} people; leave them "
            "out (the skeleton keeps their PSUs)"
        )
    return weight
