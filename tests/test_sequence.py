"""Trials in sequence: against R, against arithmetic by hand, and where other software is known to go wrong."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from backpain.design import Design, replicated
from backpain.sequence import Emulated, SequentialTrials, emulate_sequence, expand, simultaneous, weighted_rows
from backpain.sequence.periods import Periods
from backpain.sequence.solve import Frame, solve

ORACLE = Path(__file__).parent / "oracle" / "sequence"
PANEL: dict[str, Any] = {"lost": "lost", "death": "death", "fixed": ("sex", "age"), "varying": ("low",)}
KINDS: dict[str, dict[str, Any]] = {
    "initiation": {},
    "sustained": {"strategy": "sustained"},
    "truncated": {"strategy": "sustained", "truncate": (0.02, 0.97)},
    "grace": {"strategy": "sustained", "grace": 2},
}
# One number for each time and arm: the models say what the counts say.
SATURATED: dict[str, Any] = {
    "follow_up": "categories",
    "by_time": "categories",
    "trial": "none",
    "calendar": "categories",
}


@pytest.fixture(scope="module")
def panel() -> pd.DataFrame:
    return pd.read_csv(ORACLE / "periods.csv")


@pytest.fixture(scope="module")
def people() -> pd.DataFrame:
    return pd.read_csv(ORACLE / "people.csv")


@pytest.fixture(scope="module")
def numbers() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((ORACLE / "sequence.json").read_text(encoding="utf-8"))
    return found


def person(name: int, treated: str, event: str = "", **more: Any) -> pd.DataFrame:
    """One person's periods from marks such as `treated="0011"`, eligible until treated; `event` is e, d or l at the end."""
    marks = np.array([int(mark) for mark in treated])
    first = more.pop("first", 0)
    made = pd.DataFrame({"id": name, "period": first + np.arange(len(marks)), "treated": marks, **more})
    before = np.append(0, np.cumsum(marks)[:-1])
    ends = np.arange(len(marks)) == len(marks) - 1
    return made.assign(
        eligible=(before == 0).astype(int),
        event=(ends & (event == "e")).astype(int),
        death=(ends & (event == "d")).astype(int),
        lost=(ends & (event == "l")).astype(int),
    )


def everyone(*parts: pd.DataFrame) -> pd.DataFrame:
    return pd.concat(parts, ignore_index=True)


def crowd(seed: int = 1, count: int = 300, periods: int = 5, treated_share: float = 0.3) -> pd.DataFrame:
    """People followed from one time zero, treatment fixed there, with events, deaths and losses."""
    rng = np.random.default_rng(seed)
    parts = []
    for name in range(count):
        mark = "1" if rng.random() < treated_share else "0"
        length, end = periods, ""
        for k in range(periods):
            chance = rng.random()
            if chance < 0.30:
                length, end = k + 1, "e" if chance < 0.12 else "d" if chance < 0.22 else "l"
                break
        parts.append(person(name, mark * length, "" if end == "l" and length == periods else end))
    made = everyone(*parts)
    return made.assign(eligible=(made["period"] == 0).astype(int))


# Against R.


@pytest.mark.parametrize("kind", KINDS)
def test_weights_risks_and_coefficients_agree_with_r(
    panel: pd.DataFrame, people: pd.DataFrame, numbers: dict[str, Any], kind: str
) -> None:
    declared, expected = SequentialTrials(**PANEL, **KINDS[kind]), numbers[kind]
    rows = weighted_rows(panel, declared, people["weight"].to_numpy(), people["id"])
    found = emulate_sequence(panel, declared, Design.of(people), people["id"])
    assert len(rows) == expected["rows"]
    assert rows["weight"].to_numpy()[::5] == pytest.approx(np.array(expected["weight"]), rel=1e-8)
    assert rows["weight"].sum() == pytest.approx(expected["total"], rel=1e-8)
    assert np.append(found.risk, found.coefficients) == pytest.approx(np.array(expected["estimate"]), rel=1e-8)


@pytest.mark.parametrize("kind", KINDS)
def test_standard_errors_follow_the_estimated_weights_as_r_finds_by_moving_psus(
    panel: pd.DataFrame, people: pd.DataFrame, numbers: dict[str, Any], kind: str
) -> None:
    found = emulate_sequence(panel, SequentialTrials(**PANEL, **KINDS[kind]), Design.of(people), people["id"])
    assert np.sqrt(np.diag(found.covariance)) == pytest.approx(np.array(numbers[kind]["se"]), rel=1e-6)
    assert found.df == 16


def test_a_pooled_regression_of_unweighted_people_has_the_sandwich_clustered_by_person(
    panel: pd.DataFrame, numbers: dict[str, Any]
) -> None:
    found = emulate_sequence(panel, SequentialTrials(**{**PANEL, "lost": None}))
    table = found.table().iloc[:10]
    assert table["estimate"].to_numpy() == pytest.approx(np.array(numbers["clustered"]["estimate"]), rel=1e-8)
    assert table["se"].to_numpy() == pytest.approx(np.array(numbers["clustered"]["se"]), rel=1e-6)


def test_a_pooled_regression_in_a_survey_agrees_with_svyglm_on_the_expanded_rows(
    panel: pd.DataFrame, people: pd.DataFrame, numbers: dict[str, Any]
) -> None:
    found = emulate_sequence(panel, SequentialTrials(**{**PANEL, "lost": None}), Design.of(people), people["id"])
    table = found.table().iloc[:10]
    assert table["estimate"].to_numpy() == pytest.approx(np.array(numbers["surveyed"]["estimate"]), rel=1e-8)
    assert table["se"].to_numpy() == pytest.approx(np.array(numbers["surveyed"]["se"]), rel=1e-6)
    assert found.variance == "linearised"


# Faults known of other software (pyseqtarget 0.14), and what is right.


def test_person_1_in_trial_11_and_person_11_in_trial_1_stay_two_person_trials() -> None:
    one = person(1, "00", first=11, x=5.0)
    eleven = person(11, "0", first=1, x=-5.0)
    more = [("1", "e", 0.5), ("1", "", 1.0), ("0", "e", 0.2), ("0", "", -1.0)]
    more += [("1", "e", -0.4), ("0", "e", 1.5), ("0", "", 0.1), ("1", "", 0.0)]
    others = [person(100 + number, mark, end, x=x) for number, (mark, end, x) in enumerate(more)]
    panel = everyone(one.assign(eligible=[1, 0]), eleven, *others)
    declared = SequentialTrials(fixed=("x",), trial="none", follow_up="none", by_time="none", longest=1)
    rows = expand(panel, declared)
    assert rows.groupby(["person", "trial"]).ngroups == 10
    assert {(0, 11), (1, 1)} <= set(zip(rows["person"], rows["trial"], strict=True))
    found = emulate_sequence(panel, declared)
    intercept, slope, treated, _ = found.coefficients
    x = panel.loc[panel["eligible"] == 1, "x"]
    by_hand = [np.mean(1 / (1 + np.exp(-(intercept + slope * x + treated * arm)))) for arm in (0, 1)]
    # Merged under one name, the two would count as one person-trial, and the mean would move.
    assert found.risk[:, 0] == pytest.approx(by_hand, rel=1e-10)
    assert len(x) == 10


def test_weights_of_loss_are_multiplied_up_over_the_periods() -> None:
    untreated = crowd(treated_share=0).drop(columns="death")
    # The same people again, treated: loss does not depend on treatment, and its model says the shares of each period.
    panel = everyone(untreated, untreated.assign(id=untreated["id"] + 1000, treated=1))
    rows = weighted_rows(panel, SequentialTrials(lost="lost", stabilised=False, **SATURATED))
    at_risk = (untreated["event"] == 0) & (untreated["period"] < 4)
    stay = 1 - untreated[at_risk].groupby("period")["lost"].mean().to_numpy()
    by_time = rows.groupby("follow_up")["weight"].agg(["min", "max"])
    expected = np.append(1.0, np.cumprod(1 / stay))
    assert by_time["min"].to_numpy() == pytest.approx(expected, rel=1e-9)
    assert by_time["max"].to_numpy() == pytest.approx(expected, rel=1e-9)
    assert expected[-1] > 1.2 / stay.min()


def test_loss_before_the_event_weighs_the_period_too_and_leaves_the_lost_out_of_it() -> None:
    untreated = crowd(treated_share=0).drop(columns="death").query("period < 4")
    panel = everyone(untreated, untreated.assign(id=untreated["id"] + 1000, treated=1))
    declared = SequentialTrials(lost="lost", loss="first", stabilised=False, **SATURATED)
    rows = weighted_rows(panel, declared)
    stay = 1 - untreated.groupby("period")["lost"].mean().to_numpy()
    expected = np.cumprod(1 / stay)
    kept = rows.merge(
        panel[["id", "period", "lost"]].assign(person=pd.factorize(panel["id"])[0]), on=["person", "period"]
    )
    by_time = kept[kept["lost"] == 0].groupby("follow_up")["weight"].agg(["min", "max"])
    assert by_time["min"].to_numpy() == pytest.approx(expected, rel=1e-9)
    assert by_time["max"].to_numpy() == pytest.approx(expected, rel=1e-9)
    counted = untreated[untreated["lost"] == 0].groupby("period")["event"].mean().to_numpy()
    found = emulate_sequence(panel, declared)
    assert found.risk[0] == pytest.approx(1 - np.cumprod(1 - counted), rel=1e-7)
    assert found.counts["rows"].to_list() == [int((untreated["lost"] == 0).sum())] * 2


def test_loss_before_the_event_that_a_covariate_explains_is_undone() -> None:
    rng = np.random.default_rng(5)
    count = 20_000
    x = rng.random((count, 2)) < 0.5
    treated = rng.random(count) < 0.5
    parts = []
    alive = np.ones(count, dtype=bool)
    for k in range(2):
        lost = alive & (rng.random(count) < np.where(x[:, k], 0.6, 0.1))
        event = alive & ~lost & (rng.random(count) < np.where(x[:, k], 0.4, 0.1))
        # Some begin later, which initiation does not look at.
        now = treated | (rng.random(count) < 0.1 * k)
        part = pd.DataFrame({"id": np.arange(count), "period": k, "treated": now * 1, "x": x[:, k] * 1.0})
        parts.append(part.assign(event=event * 1, lost=lost * 1, eligible=int(k == 0))[alive])
        alive = alive & ~lost & ~event
    panel = pd.concat(parts, ignore_index=True)
    declared = SequentialTrials(lost="lost", loss="first", varying=("x",), time_zero="weighted", **SATURATED)
    truth = [0.25, 1 - 0.75**2]
    assert emulate_sequence(panel, declared).risk == pytest.approx(np.array([truth, truth]), abs=0.015)
    crude = SequentialTrials(lost="lost", loss="first", loss_weights=False, **SATURATED)
    assert emulate_sequence(panel, crude).risk[0, 1] < truth[1] - 0.05


def test_a_competing_event_gives_the_aalen_johansen_incidence() -> None:
    panel = crowd(seed=2)
    panel["lost"] = 0
    found = emulate_sequence(panel, SequentialTrials(death="death", **SATURATED))
    for arm in (0, 1):
        mine = panel[panel["treated"] == arm].groupby("period")[["event", "death"]].agg(["sum", "size"])
        size, event, death = (mine[key].to_numpy() for key in (("event", "size"), ("event", "sum"), ("death", "sum")))
        free = np.cumprod(1 - (event + death) / size)
        expected = np.cumsum(np.append(1.0, free[:-1]) * event / size)
        assert found.risk[arm] == pytest.approx(expected, rel=1e-9)


def test_bootstrap_errors_are_of_the_whole_sample_and_not_of_four_fifths(
    panel: pd.DataFrame, people: pd.DataFrame
) -> None:
    declared = SequentialTrials(fixed=("sex",), longest=3, by_time="none", trial="none", follow_up="linear")
    design = Design.of(people)
    plain = emulate_sequence(panel, declared, design, people["id"])
    drawn = emulate_sequence(panel, declared, replicated(design, "bootstrap", 400, seed=5), people["id"])
    ratio = np.sqrt(np.diag(drawn.covariance) / np.diag(plain.covariance))
    # Drawing 0.8 of everybody would make it 1.12 at every number.
    assert np.median(ratio) == pytest.approx(1, abs=0.06)
    assert drawn.variance == "replicates, all refitted"


def test_a_person_in_many_trials_is_one_cluster(panel: pd.DataFrame, numbers: dict[str, Any]) -> None:
    found = emulate_sequence(panel, SequentialTrials(**{**PANEL, "lost": None})).table().iloc[:10]
    naive = np.array(numbers["clustered"]["naive"])
    # The covariate that a person keeps over all trials shows it most.
    ratio = found["se"].to_numpy() / naive
    assert ratio[found["name"] == "sex"] > 1.3
    # Everyone copied, as a new person: each error shrinks by the root of two, which errors of rows alone would do too.
    twice = everyone(panel, panel.assign(id=panel["id"] + 10_000))
    # Everyone's rows copied under the same id would be refused, not counted as news.
    with pytest.raises(ValueError, match="stands there twice"):
        emulate_sequence(everyone(panel, panel), SequentialTrials(**PANEL))
    doubled = emulate_sequence(twice, SequentialTrials(**{**PANEL, "lost": None})).table().iloc[:10]
    assert doubled["se"].to_numpy() == pytest.approx(found["se"].to_numpy() / np.sqrt(2), rel=2e-3)


# Expansion by hand.


def test_every_eligible_period_begins_a_trial_that_runs_to_the_end() -> None:
    panel = everyone(person(7, "0011"), person(8, "1", "e"), person(9, "00", "e"))
    rows = expand(panel, SequentialTrials())
    mine = rows[rows["person"] == 0]
    assert mine["trial"].tolist() == [0] * 4 + [1] * 3 + [2] * 2
    assert mine["follow_up"].tolist() == [0, 1, 2, 3, 0, 1, 2, 0, 1]
    assert mine["arm"].tolist() == [0] * 7 + [1] * 2
    assert rows.loc[rows["event"] == 1, ["person", "trial", "follow_up"]].to_numpy().tolist() == [
        [1, 0, 0],
        [2, 0, 1],
        [2, 1, 0],
    ]
    assert rows.dtypes.map(str).isin(["int32", "int8"]).all()


def test_who_deviates_from_a_sustained_strategy_leaves_before_that_period() -> None:
    panel = everyone(person(7, "0010"), person(8, "11", "e"), person(9, "00", "e"))
    rows = expand(panel, SequentialTrials(strategy="sustained"))
    mine = rows[rows["person"] == 0]
    assert mine[["trial", "period", "arm"]].to_numpy().tolist() == [[0, 0, 0], [0, 1, 0], [1, 1, 0], [2, 2, 1]]


def test_grace_lets_treatment_begin_later_and_follows_everybody_in_both_arms() -> None:
    panel = everyone(
        person(1, "0110"), person(2, "0001"), person(3, "1", "e"), person(4, "00", "e"), person(5, "0", "e")
    )
    panel["eligible"] = (panel["period"] == 0).astype(int)
    rows = expand(panel, SequentialTrials(strategy="sustained", grace=1))
    followed = rows.groupby(["person", "arm"]).size().to_dict()
    assert followed == {
        (0, 0): 1,  # untreated in the first period only
        (0, 1): 3,  # begins in time, stops in the fourth
        (1, 0): 3,
        (1, 1): 1,  # has not begun when grace ends
        (2, 1): 1,  # treated at once: never in the untreated arm
        (3, 0): 2,
        (3, 1): 1,
        (4, 0): 1,
        (4, 1): 1,  # the event comes while both arms are still open
    }


def test_rows_in_any_order_and_ids_of_any_kind_give_the_same(panel: pd.DataFrame) -> None:
    declared = SequentialTrials(**PANEL, strategy="sustained")
    mixed = panel.assign(id="p" + panel["id"].astype(str)).sample(frac=1, random_state=3)
    names = "p" + panel["id"].drop_duplicates().astype(str)
    sample = pd.DataFrame({"weight": np.ones(len(names))})
    one = emulate_sequence(panel, declared)
    other = emulate_sequence(mixed, declared, Design.of(sample, stratum=None, cluster=None), names)
    assert other.risk == pytest.approx(one.risk, rel=1e-12)
    assert other.covariance == pytest.approx(one.covariance, rel=1e-8, abs=1e-14)


# Curves.


def test_risks_without_covariates_are_what_is_counted_and_free_time_is_the_area_above() -> None:
    panel = crowd(seed=4).drop(columns="death")
    panel["lost"] = 0
    found = emulate_sequence(panel, SequentialTrials(**SATURATED))
    told = found.contrasts([5]).set_index(["arm", "scale"])["estimate"]
    for arm, name in ((0, "untreated"), (1, "treated")):
        hazard = panel[panel["treated"] == arm].groupby("period")["event"].mean().to_numpy()
        free = np.cumprod(1 - hazard)
        assert found.risk[arm] == pytest.approx(1 - free, rel=1e-9)
        assert told[name, "free-time"] == pytest.approx(1 + free[:4].sum(), rel=1e-9)
    one, other = found.risk[1, 4], found.risk[0, 4]
    against = told["treated vs untreated"]
    assert against["risk-difference"] == pytest.approx(one - other)
    assert against["risk-ratio"] == pytest.approx(one / other)
    assert against["odds-ratio"] == pytest.approx(one / (1 - one) / (other / (1 - other)))
    assert against["number-needed-to-treat"] == pytest.approx(-1 / (one - other))


def test_the_variance_of_a_risk_in_one_period_is_that_of_a_share() -> None:
    panel = crowd(seed=6).query("period == 0").drop(columns=["death"])
    declared = SequentialTrials(follow_up="none", by_time="none", trial="none")
    found = emulate_sequence(panel, declared)
    count = len(panel)
    for arm in (0, 1):
        mine = panel.loc[panel["treated"] == arm, "event"]
        p = mine.mean()
        expected = p * (1 - p) / len(mine) * count / (count - 1)
        assert found.covariance[arm, arm] == pytest.approx(expected, rel=1e-9)


def test_weighting_for_deviation_undoes_selection_that_the_covariate_explains() -> None:
    rng = np.random.default_rng(11)
    parts = []
    for name in range(6000):
        x, begun = int(rng.random() < 0.5), rng.random() < 0.5
        # Whoever has x stops treatment, and has the event, more often; treatment does nothing.
        goes_on = rng.random() < (0.4 if x else 0.9)
        treated = ("11" if goes_on else "10") if begun else ("01" if rng.random() < 0.1 else "00")
        parts.append((name, treated, rng.random() < (0.5 if x else 0.1), x))
    panel = pd.DataFrame(
        [
            {"id": name, "period": k, "treated": int(marks[k]), "x": x * k, "event": int(k == 1 and event)}
            for name, marks, event, x in parts
            for k in (0, 1)
        ]
    ).assign(eligible=lambda frame: (frame["period"] == 0).astype(int))
    # Nobody has the event at time zero, so one of them is given it in each arm.
    for arm in (0, 1):
        place = panel.index[(panel["period"] == 0) & (panel["treated"] == arm)][0]
        panel = panel.drop(panel.index[(panel["id"] == panel.loc[place, "id"]) & (panel["period"] == 1)])
        panel.loc[place, "event"] = 1
    panel["x"] = panel["x"].astype(float)
    saturated = {**SATURATED, "calendar": "linear"}
    crude = emulate_sequence(panel, SequentialTrials(strategy="sustained", **saturated))
    declared = SequentialTrials(strategy="sustained", varying=("x",), time_zero="weighted", **saturated)
    weighted = emulate_sequence(panel, declared)
    assert abs(crude.risk[1, 1] - 0.3) > 0.05
    assert weighted.risk[:, 1] == pytest.approx([0.3, 0.3], abs=0.03)


# Variance.


@pytest.mark.parametrize(
    "more",
    [
        {"strategy": "sustained", "time_zero": "weighted", "truncate": (0.01, 0.95)},
        {"time_zero": "weighted", "longest": 4, "stabilised": False},
        {"strategy": "sustained", "grace": 1, "truncate": (0.05, 0.9)},
        {"strategy": "sustained", "follow_up": "restricted cubic spline", "by_time": "none", "death": None},
        {"strategy": "sustained", "time_zero": "weighted", "truncate": (0.01, 0.95), "loss": "first"},
        {"strategy": "sustained", "grace": 1, "truncate": (0.05, 0.9), "loss": "first"},
        {"loss": "first", "stabilised": False},
    ],
)
def test_the_influence_function_is_the_slope_in_a_persons_weight(
    panel: pd.DataFrame, people: pd.DataFrame, more: dict[str, Any]
) -> None:
    declared = SequentialTrials(**{**PANEL, **more})
    found = solve(Frame.of(Periods.of(panel, declared, people["id"]), declared), people["weight"].to_numpy(dtype=float))
    influence = found.influence()
    assert influence.sum(0) == pytest.approx(0, abs=1e-9)
    for place in (0, 100, 250, 479):
        hair = 1e-4 * found.weight[place] * (np.arange(len(people)) == place)
        slope = (found.again(found.weight + hair) - found.again(found.weight - hair)) / 2e-4
        assert slope == pytest.approx(influence[place], rel=1e-4, abs=1e-5 * np.abs(influence[place]).max())


def test_replicates_that_repeat_the_sample_find_no_variance_and_jackknives_agree_with_linearisation(
    panel: pd.DataFrame, people: pd.DataFrame
) -> None:
    declared = SequentialTrials(**PANEL, strategy="sustained")
    design = Design.of(people)
    found = solve(Frame.of(Periods.of(panel, declared, people["id"]), declared), design.weight)
    assert found.again(3 * design.weight) == pytest.approx(found.value(), rel=1e-8)
    plain = emulate_sequence(panel, declared, design, people["id"])
    jackknife = emulate_sequence(panel, declared, replicated(design, "jkn"), people["id"])
    ratio = np.sqrt(np.diag(jackknife.covariance) / np.diag(plain.covariance))
    assert np.median(ratio) == pytest.approx(1, abs=0.04)
    assert ratio.max() < 1.25
    assert jackknife.risk == pytest.approx(plain.risk, rel=1e-12)


def test_people_who_never_take_part_still_count_for_the_design(panel: pd.DataFrame, people: pd.DataFrame) -> None:
    declared = SequentialTrials(**{**PANEL, "lost": None})
    part = people["stratum"] < 6
    some = panel[panel["id"].isin(people.loc[part, "id"])]
    whole = emulate_sequence(some, declared, Design.of(people), people["id"])
    alone = emulate_sequence(some, declared, Design.of(people[part]), people.loc[part, "id"])
    assert whole.df == alone.df == 12
    assert whole.covariance == pytest.approx(alone.covariance, rel=1e-9, abs=1e-15)


def test_a_band_reaches_as_far_as_its_points_differ() -> None:
    same = simultaneous(np.ones((6, 6)), df=20, draws=200_000)
    apart = simultaneous(np.eye(6), df=10_000, draws=200_000)
    assert same == pytest.approx(stats.t.ppf(0.975, 20), rel=0.01)
    assert apart == pytest.approx(stats.norm.ppf(0.5 + 0.95 ** (1 / 6) / 2), rel=0.01)


def test_curves_lie_within_their_intervals_and_these_within_their_bands(
    panel: pd.DataFrame, people: pd.DataFrame
) -> None:
    curves = emulate_sequence(panel, SequentialTrials(**PANEL), Design.of(people), people["id"]).curves()
    assert curves["time"].tolist() == [*range(1, 9)] * 3
    order = ["band_low", "low", "risk", "high", "band_high"]
    assert (np.diff(curves[order].to_numpy(), axis=1) > 0).all()
    risks = curves[curves["arm"] != "treated vs untreated"]
    assert risks[order].to_numpy().min() > 0
    assert risks[order].to_numpy().max() < 1


def test_the_number_needed_to_treat_has_no_ends_where_the_difference_may_be_nothing() -> None:
    found = emulate_sequence(crowd(seed=4).drop(columns="death").assign(lost=0), SequentialTrials(**SATURATED))
    table = found.contrasts().set_index("scale")
    difference, needed = table.loc["risk-difference"], table.loc["number-needed-to-treat"]
    assert difference["low"] < 0 < difference["high"]
    assert np.isnan(needed["low"])
    assert np.isnan(needed["high"])


# What is refused.


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda p: p.assign(treated=0), "nobody eligible is treated"),
        (lambda p: p.assign(treated=1), "everybody eligible is treated"),
        (lambda p: p.assign(event=0), "there are no events"),
        (lambda p: p.assign(event=p["event"] * (1 - p["treated"])), "nobody of the treated arm has it"),
        (lambda p: p.assign(eligible=0), "nobody is ever eligible"),
        (lambda p: pd.concat([p, p.iloc[[40]]]), "stands there twice"),
        (lambda p: p.drop(index=1), "follows after a gap"),
        (lambda p: p.assign(event=(p["period"] == 0).astype(int)), "comes after the person's event"),
        (lambda p: p.assign(lost=(p["period"] == 0).astype(int)), "comes after the person was lost"),
        (lambda p: p.assign(death=p["event"]), "has both event and death"),
        (lambda p: p.assign(treated=p["treated"] * 2), "neither 0 nor 1"),
        (lambda p: p.assign(period=p["period"] + 0.5), "whole numbers"),
        (lambda p: p.drop(columns="low"), "there is no column 'low'"),
        (lambda p: p.assign(lost=p["event"]), "has both event and loss"),
    ],
)
def test_a_panel_that_cannot_be_is_refused_in_words(panel: pd.DataFrame, change: Any, words: str) -> None:
    declared = SequentialTrials(**PANEL, strategy="sustained", loss="first" if words.endswith("loss") else "last")
    with pytest.raises(ValueError, match=words):
        emulate_sequence(change(panel), declared)


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"longest": 0}, "ends before time zero"),
        ({"strategy": "as treated"}, "strategy 'as treated' is not known"),
        ({"grace": 2}, "grace 2"),
        ({"truncate": (0.99, 0.01)}, "two shares in order"),
        ({"loss": "early"}, "loss 'early' is not known"),
        ({"follow_up": "wiggly"}, "follow_up 'wiggly' is not known"),
    ],
)
def test_a_declaration_that_cannot_be_is_refused_in_words(more: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        SequentialTrials(**more)


def test_a_covariate_that_tells_all_events_apart_is_named(panel: pd.DataFrame) -> None:
    # Whoever is marked never has the event, whatever their arm.
    ever = panel.groupby("id")["event"].transform("max")
    marked = panel.assign(marked=((ever == 0) & (panel["id"] % 2 == 0)).astype(int))
    declared = SequentialTrials(fixed=("sex", "marked"), death="death")
    with pytest.raises(ValueError, match=r"event: .*marked"):
        emulate_sequence(marked, declared)


def test_a_covariate_that_decides_treatment_is_named(panel: pd.DataFrame) -> None:
    declared = SequentialTrials(strategy="sustained", varying=("treats",))
    with pytest.raises(ValueError, match=r"weights for deviation of those not treated.*treats"):
        emulate_sequence(panel.assign(treats=panel["treated"]), declared)


def test_columns_that_say_the_same_are_refused(panel: pd.DataFrame) -> None:
    declared = SequentialTrials(fixed=("sex", "woman"))
    with pytest.raises(ValueError, match="depend on one another"):
        emulate_sequence(panel.assign(woman=1 - panel["sex"]), declared)


def test_people_outside_the_design_are_refused(panel: pd.DataFrame, people: pd.DataFrame) -> None:
    with pytest.raises(ValueError, match="belong to nobody of the design"):
        emulate_sequence(panel, SequentialTrials(), Design.of(people.iloc[1:]), people["id"].iloc[1:])
    with pytest.raises(ValueError, match="together, or neither"):
        emulate_sequence(panel, SequentialTrials(), Design.of(people))


def test_a_time_beyond_follow_up_is_refused(panel: pd.DataFrame) -> None:
    found: Emulated = emulate_sequence(panel, SequentialTrials(longest=4))
    with pytest.raises(ValueError, match="9 is not within follow-up of 4 periods"):
        found.contrasts([9])
