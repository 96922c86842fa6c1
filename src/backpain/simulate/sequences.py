"""The truth of trials in sequence: everyone who begins one, followed as treated and as untreated to the end."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from backpain.simulate.potential import chosen_of, eligible, give
from backpain.simulate.world import Crowd, baseline, draw_one, follow_up, probabilities, remembering
from backpain.spec import Plan, Protocol, Sequence, Strategy, Survey

Numbers = NDArray[np.float64]
Row = tuple[str, str, float, float]

BATCH = 100_000
AGAINST = "treated vs untreated"


def planted_in_sequence(survey: Survey, protocol: Protocol, rng: np.random.Generator, people: int) -> list[Row]:
    """Differences in risk by the end of each period, for each strategy, averaged over all person-trials.

    A trial begins at each wave but the last, among those eligible then who have not been lost and have had no outcome since
    they first were. Each is followed for as many periods as the longest, whenever it began, without loss.

    Returns
    -------
    Rows of scale, arm, truth and Monte Carlo standard error, in which trials of one person count as independent.
    """
    declared, world = protocol.sequence, survey.world
    assert declared is not None
    assert world is not None
    longest = len(survey.waves.values) - 1
    found: dict[str, list[Numbers]] = {name: [] for name in declared.strategies}
    for start in range(0, people, BATCH):
        crowd = baseline(world, min(BATCH, people - start), rng)
        entered, going = np.zeros(crowd.size, bool), np.ones(crowd.size, bool)
        for _ in range(longest):
            begins = going & eligible(crowd, protocol)
            entered |= begins
            some = chosen_of(crowd, begins)
            for name, strategy in declared.strategies.items():
                found[name].append(_difference(some, protocol, declared, strategy, longest, rng))
            if world.seen is not None:
                going &= rng.random(crowd.size) < 1 / (1 + np.exp(-crowd.predict(world.seen)))
            crowd = follow_up(crowd, rng)
            # The outcome ends whoever's follow-up has begun.
            going &= ~(entered & _had(crowd, protocol))
    rows = []
    for name, parts in found.items():
        every = np.concatenate(parts)
        if len(every) < 2:
            raise ValueError(f"{protocol.name}: nobody in the world of {survey.name} begins a trial of the sequence")
        for k in range(longest):
            error = float(every[:, k].std() / np.sqrt(len(every)))
            rows.append((scale_of(name, k + 1), AGAINST, float(every[:, k].mean()), error))
    return rows


def nothing_in_sequence(survey: Survey, protocol: Protocol) -> list[Row]:
    """The same where nothing is planted."""
    names = [] if protocol.sequence is None else list(protocol.sequence.strategies)
    times = range(1, len(survey.waves.values))
    return [(scale_of(name, time), AGAINST, 0.0, 0.0) for name in names for time in times]


def scale_of(strategy: str, time: int) -> str:
    """What the difference by a time is called among the truths."""
    return f"sequence-{strategy}-{time}"


def _had(crowd: Crowd, plan: Plan) -> NDArray[np.bool_]:
    name = plan.outcome.variable
    event = np.array([label in plan.outcome.event for label in crowd.labels[name]])
    return np.asarray(event[crowd.values[name]])


def _difference(
    crowd: Crowd, plan: Plan, declared: Sequence, strategy: Strategy, longest: int, rng: np.random.Generator
) -> Numbers:
    """(people, longest) risk as treated less risk as untreated by the end of each period."""
    seed = int(rng.integers(2**63))
    # The same seed in both arms, so that what is left to chance is the same chance.
    one, other = (
        _risk(crowd, plan, declared, strategy, treated, longest, np.random.default_rng(seed))
        for treated in (True, False)
    )
    return one - other


def _risk(
    crowd: Crowd,
    plan: Plan,
    declared: Sequence,
    strategy: Strategy,
    treated: bool,
    longest: int,
    rng: np.random.Generator,
) -> Numbers:
    """(people, longest) one less the product of the chances to stay free, along one path of everything else each.

    With a period of grace the treated begin when they would, and in its last period if they have not.
    """
    name = plan.treatment.variable
    arm = plan.treatment.treated if treated else plan.treatment.untreated
    if not (treated and strategy.grace):
        crowd = give(crowd, plan, arm, rng)
    free = np.ones(crowd.size)
    risk = np.empty((crowd.size, longest))
    for k in range(longest):
        crowd = remembering(crowd)
        for drawn, draw in crowd.world.follow_up.items():
            labels = list(draw.categories or {})
            if drawn == plan.outcome.variable:
                event = np.array([label in plan.outcome.event for label in labels])
                shares = probabilities(crowd, draw)
                free = free * (1 - shares[:, event].sum(axis=1))
                # Whoever goes on has had no outcome.
                crowd = crowd.add(drawn, np.full(crowd.size, int(np.flatnonzero(~event)[0])), labels)
            elif drawn == name and strategy.strategy == "sustained":
                crowd = _keeping(crowd, plan, declared, treated, k + 1 < strategy.grace, rng)
            else:
                crowd = draw_one(crowd, drawn, draw, rng)
        risk[:, k] = 1 - free
    return risk


def _keeping(
    crowd: Crowd, plan: Plan, declared: Sequence, treated: bool, waits: bool, rng: np.random.Generator
) -> Crowd:
    """The next wave's treatment of who keeps to a sustained strategy; who `waits` may still begin later."""
    name = plan.treatment.variable
    labels = crowd.labels[name]
    if not treated:
        return crowd.add(name, np.full(crowd.size, labels.index(plan.treatment.untreated[0])), labels)
    on = np.array([label in (*plan.treatment.treated, *declared.ongoing) for label in labels])[crowd.values[name]]
    begin = np.full(crowd.size, labels.index(plan.treatment.treated[0]))
    later = draw_one(crowd, name, crowd.world.follow_up[name], rng).values[name] if waits else begin
    goes_on = labels.index((declared.ongoing or plan.treatment.treated)[0])
    return crowd.add(name, np.where(on, goes_on, later), labels)


__all__ = ["nothing_in_sequence", "planted_in_sequence", "scale_of"]
