"""Made-up people with a planted effect, and the inverse of every mapping, so any survey runs before its data arrive."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from backpain.simulate.anyone import anyone
from backpain.simulate.encode import encode
from backpain.simulate.planted import truth
from backpain.simulate.raw import Raw, write_raw
from backpain.simulate.world import draw_people, withhold
from backpain.spec import Survey, Variable

__all__ = ["Simulated", "anyone", "encode", "simulate", "truth", "write_raw"]


@dataclass(frozen=True)
class Simulated:
    """A simulated survey.

    Attributes
    ----------
    tables : dict of DataFrame
        From (file, wave) to a frame with the agency's column names; lookups have the wave None.
    people : DataFrame
        The people as `harmonise` gives them back; without a world only their place in the design.
    truth : DataFrame
        The same people with every answer, those who were not seen again among them (`seen`).
    """

    tables: Raw
    people: pd.DataFrame
    truth: pd.DataFrame


def simulate(survey: Survey, variables: dict[str, Variable], people: int, seed: int) -> Simulated:
    """Draw a survey's people from its world and make its raw tables; without a world their answers are left to chance.

    Parameters
    ----------
    people
        How many are drawn at baseline.
    seed
        The same seed gives the same people.
    """
    rng = np.random.default_rng([seed, 0])
    if survey.world is None:
        told = anyone(survey, people, rng)
        return Simulated(encode(told, survey, variables, rng), told, told.assign(seen=True))
    whole = draw_people(survey, variables, people, rng)
    told = withhold(whole, survey, rng)
    return Simulated(encode(told, survey, variables, rng), told, whole)
