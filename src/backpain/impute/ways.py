"""The other ways with missing data: complete cases, and complete cases weighted for who is one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from backpain.regression import Logistic, Term, design_matrix, logistic

Numbers = NDArray[np.float64]
Marks = NDArray[np.bool_]

WAYS = ("complete", "imputed", "weighted")


@dataclass(frozen=True)
class CompleteCases:
    """Who has everything: a mask (people,), and a count per variable.

    `counts` has rows (variable, missing, only): how many lack it, and how many lack it alone; its last row,
    `any`, counts those who lack anything.
    """

    mask: Marks
    counts: pd.DataFrame


def complete_cases(frame: pd.DataFrame, variables: Sequence[str]) -> CompleteCases:
    """Who lacks none of the variables.

    Raises
    ------
    ValueError
        If a column is absent, or nobody has everything.
    """
    names = list(dict.fromkeys(variables))
    if absent := [name for name in names if name not in frame]:
        raise ValueError(
            f"complete cases: there is no column {', '.join(map(repr, absent))}; name the people's variables"
        )
    gaps = frame[names].isna().to_numpy()
    lacking = gaps.sum(axis=1)
    mask = lacking == 0
    if len(frame) and not mask.any():
        raise ValueError(
            f"complete cases: nobody has all of {', '.join(names)}; impute, or take out what most people lack"
        )
    counts = pd.DataFrame(
        {
            "variable": [*names, "any"],
            "missing": [*gaps.sum(axis=0), int((~mask).sum())],
            "only": [*(gaps & (lacking == 1)[:, None]).sum(axis=0), int((lacking == 1).sum())],
        }
    )
    return CompleteCases(mask, counts)


@dataclass(frozen=True)
class ResponseWeights:
    """Inverse probabilities of being a complete case.

    Attributes
    ----------
    complete
        (people,) who is one.
    probability
        (people,) fitted; 1 where everyone is complete.
    factor
        (people,) 1 / probability for complete cases and 0 for others: the survey weight is multiplied by it.
    model
        The survey-weighted logistic regression, with its influence; None where everyone is complete.
    counts
        Of `complete_cases`.
    """

    complete: Marks
    probability: Numbers
    factor: Numbers
    model: Logistic | None
    counts: pd.DataFrame

    def drift(self, contribution: Numbers) -> Numbers:
        """How estimating the model moves a sum over complete cases that is weighted by `factor`.

        contribution is (people, k), what each person adds to the sums, survey weight and factor multiplied in; the
        answer (people, k) is to be added to it (Lunceford and Davidian 2004, Stat Med 23:2937).
        """
        if self.model is None:
            return np.zeros_like(contribution)
        slope = (self.probability - 1)[:, None] * contribution
        return np.asarray(self.model.influence @ (self.model.matrix.T @ slope))

    def at(self, weights: ArrayLike) -> Numbers:
        """(people, r) the factor with the model fitted again under each of r columns of weights (people, r).

        Raises
        ------
        ValueError
            If the model cannot be fitted under some of them, saying which and why.
        """
        block = np.asarray(weights, dtype=float)
        if block.ndim != 2 or len(block) != len(self.complete):
            raise ValueError(f"response weights: weights of shape {block.shape} for {len(self.complete)} people")
        factors = np.repeat(self.complete.astype(float)[:, None], block.shape[1], axis=1)
        if self.model is None:
            return factors
        for column in range(block.shape[1]):
            fit = logistic(self.model.matrix, self.complete, block[:, column], self.model.columns)
            if not fit.converged:
                raise ValueError(f"response weights: replicate {column + 1} cannot be fitted ({fit.reason})")
            factors[:, column] = np.where(self.complete, 1 / fit.probability, 0.0)
        return factors


def response_weights(
    frame: pd.DataFrame, variables: Sequence[str], predictors: Sequence[Term], weight: str = "weight"
) -> ResponseWeights:
    """Weigh complete cases up to everyone (Seaman and White 2013, Stat Methods Med Res 22:278).

    ASSUME: given the predictors, who is complete does not depend on what is missing.

    Parameters
    ----------
    variables
        What a complete case has.
    predictors
        Terms of a survey-weighted logistic regression of being complete; nobody may lack them.
    weight
        Survey weight.

    Raises
    ------
    ValueError
        As `complete_cases` and `design_matrix` do, and if the model cannot be fitted (with the reason) or somebody's
        probability of being complete rounds to 0.
    """
    cases = complete_cases(frame, variables)
    if cases.mask.all():
        ones = np.ones(len(frame))
        return ResponseWeights(cases.mask, ones, ones, None, cases.counts)
    matrix, columns = design_matrix(frame, predictors)
    model = logistic(matrix, cases.mask, frame[weight].to_numpy(dtype=float, na_value=np.nan), columns)
    if not model.converged:
        raise ValueError(
            f"response weights: the model of being a complete case cannot be fitted ({model.reason}); give it fewer "
            "or coarser predictors"
        )
    if (model.probability[cases.mask] < 1e-12).any():
        raise ValueError("response weights: a complete case had no chance of being one; take out what predicts it")
    factor = np.where(cases.mask, 1 / model.probability, 0.0)
    return ResponseWeights(cases.mask, model.probability, factor, model, cases.counts)
