"""Draws made-up people from a declared world: who they are, who is sampled, who is seen again and what they answer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from backpain.harmonise import judge
from backpain.simulate.drawn import alike, drawn
from backpain.spec import Survey, Test, Variable
from backpain.spec.world import Draw, Predictor, World, bare

CANDIDATES = 6  # people who live in the sampled PSUs for each one who is sampled


@dataclass(frozen=True)
class Crowd:
    """People as columns: numbers, or positions in `labels` for categories."""

    world: World
    size: int
    values: dict[str, np.ndarray] = field(default_factory=dict)
    labels: dict[str, list[str]] = field(default_factory=dict)

    def add(self, name: str, values: np.ndarray, labels: list[str] | None = None) -> Crowd:
        """The crowd with one more column, or with another in its place."""
        others = {key: value for key, value in self.labels.items() if key != name}
        named = others if labels is None else {**others, name: labels}
        return Crowd(self.world, self.size, {**self.values, name: values}, named)

    def column(self, name: str) -> pd.Series:
        """One column as an analysis sees it: a categorical, or numbers."""
        if name in self.labels:
            return pd.Series(pd.Categorical.from_codes(self.values[name], categories=pd.Index(self.labels[name])))
        return pd.Series(self.values[name])

    def predict(self, predictor: Predictor) -> np.ndarray:
        """A linear predictor for everyone."""
        total = np.full(self.size, float(predictor.intercept))
        for name, effect in predictor.terms.items():
            if isinstance(effect, dict):
                strays = sorted(set(effect) - set(self.labels.get(name, [])))
                if strays:
                    raise ValueError(f"the world gives {name} an effect of {strays}, which it never draws")
                total += np.array([effect.get(label, 0.0) for label in self.labels[name]])[self.values[name]]
            else:
                total += effect * (self.values[name] - self.world.centre.get(bare(name), 0.0))
        return total


def baseline(world: World, size: int, rng: np.random.Generator, sampled: bool = False) -> Crowd:
    """Draw the population at baseline.

    With `sampled`, people live in the `clusters` PSUs that were drawn in each stratum, and those of one PSU share its
    effect; otherwise everyone comes from a PSU of their own, which is the population over all PSUs.
    """
    stratum = rng.integers(world.strata, size=size)
    cluster = rng.integers(world.clusters, size=size)
    effects = rng.standard_normal((world.strata, world.clusters))
    effect = effects[stratum, cluster] if sampled else rng.standard_normal(size)
    place = np.linspace(-1, 1, world.strata)[stratum] if world.strata > 1 else np.zeros(size)
    crowd = Crowd(world, size, {"stratum": place, "psu": effect, "stratum number": stratum, "psu number": cluster})
    for name, draw in world.baseline.items():
        crowd = draw_one(crowd, name, draw, rng)
    return crowd


def remembering(crowd: Crowd) -> Crowd:
    """The crowd on the way to its next wave: `before.` is as it is now, `first.` as it was at baseline."""
    for name in crowd.world.baseline:
        labels = crowd.labels.get(name)
        if f"first.{name}" not in crowd.values:
            crowd = crowd.add(f"first.{name}", crowd.values[name], labels)
        crowd = crowd.add(f"before.{name}", crowd.values[name], labels)
    return crowd


def follow_up(crowd: Crowd, rng: np.random.Generator) -> Crowd:
    """Draw what has become of people by the next wave; what the world does not draw anew stays as it was."""
    crowd = remembering(crowd)
    for name, draw in crowd.world.follow_up.items():
        crowd = draw_one(crowd, name, draw, rng)
    return crowd


def draw_one(crowd: Crowd, name: str, draw: Draw, rng: np.random.Generator) -> Crowd:
    """The crowd with one variable drawn."""
    if draw.categories is not None:
        return crowd.add(name, choose(probabilities(crowd, draw), rng), list(draw.categories))
    values = DRAWS[draw.kind](crowd, name, draw, rng)
    low, high = -np.inf if draw.minimum is None else draw.minimum, np.inf if draw.maximum is None else draw.maximum
    return crowd.add(name, np.clip(np.round(values, draw.decimals), low, high))


def probabilities(crowd: Crowd, draw: Draw) -> np.ndarray:
    """The probability of each category for everyone, people by categories."""
    logits = np.column_stack([crowd.predict(part) for part in (draw.categories or {}).values()])
    odds = np.exp(logits - logits.max(axis=1, keepdims=True))
    return odds / odds.sum(axis=1, keepdims=True)


def choose(shares: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """One category for each row of probabilities."""
    above = rng.random(len(shares))[:, None] > np.cumsum(shares, axis=1)
    return np.minimum(above.sum(axis=1), shares.shape[1] - 1)


def _evenly(crowd: Crowd, name: str, draw: Draw, rng: np.random.Generator) -> np.ndarray:
    low, high = draw.between or (0.0, 1.0)
    return rng.uniform(low, high, crowd.size)


def _normal(crowd: Crowd, name: str, draw: Draw, rng: np.random.Generator) -> np.ndarray:
    return crowd.predict(draw) + float(draw.spread or 0) * rng.standard_normal(crowd.size)


def _score(crowd: Crowd, name: str, draw: Draw, rng: np.random.Generator) -> np.ndarray:
    mean = 1 / (1 + np.exp(-crowd.predict(draw)))
    share = rng.beta(mean * draw.evenness, (1 - mean) * draw.evenness)
    return rng.binomial(int(draw.highest or 0), share).astype(float)


def _count(crowd: Crowd, name: str, draw: Draw, rng: np.random.Generator) -> np.ndarray:
    return rng.poisson(np.exp(crowd.predict(draw))).astype(float)


def _later(crowd: Crowd, name: str, draw: Draw, rng: np.random.Generator) -> np.ndarray:
    return crowd.values[f"before.{name}"] + float(draw.as_before or 0)


DRAWS: dict[str, Callable[[Crowd, str, Draw, np.random.Generator], np.ndarray]] = {
    "between": _evenly,
    "spread": _normal,
    "highest": _score,
    "rate": _count,
    "as_before": _later,
}


def sample(world: World, people: int, rng: np.random.Generator) -> tuple[Crowd, np.ndarray]:
    """Draw the sampled people and their weights: systematically, with probability proportional to the declared rate.

    Raises
    ------
    ValueError
        If the rates differ so much that someone would have to be drawn twice.
    """
    crowd = baseline(world, people * CANDIDATES, rng, sampled=True)
    rate = np.exp(crowd.predict(world.sampling))
    chance = people * rate / rate.sum()
    if chance.max() > 1:
        raise ValueError(
            "world > sampling: the rates differ too much, some people would be drawn twice; lower the effects"
        )
    order = rng.permutation(crowd.size)
    passed = np.floor(np.cumsum(chance[order]) + rng.random())
    chosen = np.sort(order[np.diff(passed, prepend=0.0) > 0])
    chosen = chosen[np.lexsort((crowd.values["psu number"][chosen], crowd.values["stratum number"][chosen]))]
    kept = {name: values[chosen] for name, values in crowd.values.items()}
    weight = world.population / crowd.size / chance[chosen]
    return Crowd(world, len(chosen), kept, crowd.labels), weight


def draw_people(survey: Survey, variables: dict[str, Variable], people: int, rng: np.random.Generator) -> pd.DataFrame:
    """Draw a survey's people: one row for each person and wave, as `harmonise` would give them with nothing left unsaid.

    Besides the columns of `harmonise` there is `seen`: whether the person takes part in that wave.
    """
    world = survey.world
    if world is None:
        raise ValueError(f"surveys/{survey.name}.yaml declares no `world`; without it there is nobody to draw")
    crowd, weight = sample(world, people, rng)
    panel = rng.choice(sorted(survey.waves.panels or {0: []}), size=crowd.size)
    frames = [drawn(_rows(survey, variables, crowd, weight, panel, 0), survey, rng)]
    if survey.kind == "panel":
        seen = np.ones(crowd.size, bool)
        for order in range(1, orders_of(survey)):
            if world.seen is not None:
                # Who is lost once is not found again.
                seen = seen & (rng.random(crowd.size) < 1 / (1 + np.exp(-crowd.predict(world.seen))))
            crowd = follow_up(crowd, rng)
            later = _rows(survey, variables, crowd, weight, panel, order).assign(seen=seen)
            frames.append(alike(later, frames[0]))
    return pd.concat(frames, ignore_index=True)


def orders_of(survey: Survey) -> int:
    """How many waves a panel's people are asked in."""
    panels = survey.waves.panels
    return len(survey.waves.values) if panels is None else max(len(waves) for waves in panels.values())


def _rows(
    survey: Survey, variables: dict[str, Variable], crowd: Crowd, weight: np.ndarray, panel: np.ndarray, order: int
) -> pd.DataFrame:
    waves = {p: w[order] for p, w in (survey.waves.panels or {0: list(survey.waves.values)}).items()}
    number = np.arange(crowd.size) + 100_001
    key = pd.Series(number).astype(str)
    named = [pd.Series(panel).astype(str) if name == "panel" else key for name in survey.person]
    frame = pd.DataFrame(
        {
            "person": named[0].str.cat(pd.concat(named[1:], axis=1), sep="-") if named[1:] else named[0],
            **({"panel": panel} if survey.waves.panels else {}),
            "wave": [waves[p] for p in panel],
            "order": order,
            "seen_by": "record",
            "stratum": crowd.values["stratum number"] + 1.0,
            "psu": crowd.values["psu number"] + 1.0,
            **{f"weight_{name}": weight for name in survey.design.weights},
            **{f"link_{link.add}": "linked" for link in survey.links if link.to is not None},
            "seen": True,
        }
    )
    drawn = [name for name in variables if name in crowd.values]
    return pd.concat([frame, pd.DataFrame({name: _shared(crowd, name, variables[name]) for name in drawn})], axis=1)


def _shared(crowd: Crowd, name: str, variable: Variable) -> pd.Series:
    values = crowd.column(name)
    if variable.categories is None:
        return values.astype(float)
    strays = sorted(set(crowd.labels[name]) - set(variable.categories))
    if strays:
        raise ValueError(f"the world draws {name} as {strays}, which variables.yaml does not know")
    return values.cat.set_categories(list(variable.categories))


def withhold(people: pd.DataFrame, survey: Survey, rng: np.random.Generator) -> pd.DataFrame:
    """What the survey gets to know: those who take part, what they were asked, and what they answered.

    ASSUME: whether a question is answered depends on nothing.
    """
    answered = people.copy()
    for name, share in (survey.world.not_answered if survey.world else {}).items():
        answered[name] = people[name].mask(pd.Series(rng.random(len(people)) < share, index=people.index))
    for name in [name for name in survey.variables if name in people]:
        answered[name] = answered[name].where(asked(people, survey, name))
    return answered[people["seen"]].drop(columns="seen").reset_index(drop=True)


def asked(people: pd.DataFrame, survey: Survey, name: str) -> pd.Series:
    """Who is inside the `asked_of` of every file that a variable comes from."""
    inside = pd.Series(True, index=people.index)
    for variable in survey.closure({name}):
        for file, _, _ in survey.variables[variable].uses():
            for limit, allowed in (survey.files[file].asked_of or {}).items():
                test = Test(minimum=allowed.minimum, maximum=allowed.maximum)
                inside &= judge(people[limit], test).fillna(False).astype(bool)
    return inside
