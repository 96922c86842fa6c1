"""Who is in a trial: eligibility, arms, follow-up, and a flow in which nobody is lost unseen."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from backpain.cohort import Trial, domain_of, emulate, skeleton
from backpain.spec import Association, load_protocol, load_survey
from declare import PROTOCOL, SURVEY, bend, write


def rows(*people: tuple[Any, ...]) -> pd.DataFrame:
    """person, order, age, sex, back pain, treated, weight."""
    frame = pd.DataFrame(people, columns=["person", "order", "age", "sex", "back_pain", "treated", "weight_interview"])
    kinds = {"sex": ["male", "female"], "back_pain": ["absent", "present"], "treated": ["taken", "none"]}
    coded = {name: pd.Categorical(frame[name], categories=levels) for name, levels in kinds.items()}
    return frame.assign(
        **coded,
        stratum=1,
        psu=[1, 2] * (len(frame) // 2) + [1] * (len(frame) % 2),
        scale=1.0,
        seen_by="record",
        drugs=1.0,
    )


PEOPLE = rows(
    ("a", 0, 30, "male", "absent", "taken", 1.0), ("a", 1, 31, "male", "present", "taken", 1.0),
    ("b", 0, 30, "female", "absent", "none", 2.0), ("b", 1, 31, "female", "absent", "none", 2.0),
    ("c", 0, 30, "male", "present", "taken", 3.0), ("c", 1, 31, "male", "present", "taken", 3.0),
    ("d", 0, 75, "male", None, "taken", 4.0), ("d", 1, 76, "male", None, "taken", 4.0),
    ("e", 0, 40, "female", "absent", "none", 5.0),
    ("f", 0, 40, "female", "absent", "none", 0.0), ("f", 1, 41, "female", "present", "none", 1.0),
    ("g", 0, 40, None, "absent", "taken", 6.0), ("g", 1, 41, None, None, "taken", 6.0),
)  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("BACKPAIN_CONFIG", str(tmp_path))
    return tmp_path


def trial(folder: Path, people: pd.DataFrame = PEOPLE, **parts: Any) -> Trial:
    write(folder, **parts)
    return emulate(people, load_protocol("trial"), load_survey("small"))


def test_the_participants_are_the_eligible_with_weight(folder: Path) -> None:
    chosen = trial(folder).participants
    assert chosen["person"].tolist() == ["a", "b", "e", "g"]
    assert chosen["treated"].tolist() == [True, False, False, True]


def test_a_panels_scale_is_in_each_weight(folder: Path) -> None:
    scaled = PEOPLE.assign(scale=[1.0, 1.0, 2.5, 2.5, *[1.0] * (len(PEOPLE) - 4)])
    weights = trial(folder, scaled).participants.set_index("person")["weight"]
    assert weights[["a", "b", "e"]].tolist() == [1.0, 2 * 2.5, 5.0]


def test_lost_is_not_without_the_event(folder: Path) -> None:
    chosen = trial(folder).participants.set_index("person")
    assert chosen["followed"].to_dict() == {"a": True, "b": True, "e": False, "g": False}
    assert bool(chosen.loc["a", "event"]) is True
    assert bool(chosen.loc["b", "event"]) is False
    assert pd.isna(chosen.loc["e", "event"])  # no row in the second wave
    assert pd.isna(chosen.loc["g", "event"])  # a row, but the outcome was not answered


def test_a_missing_confounder_is_marked_not_dropped(folder: Path) -> None:
    chosen = trial(folder).participants.set_index("person")
    assert chosen["complete"].to_dict() == {"a": True, "b": True, "e": True, "g": False}


def test_every_box_of_the_flow_adds_up(folder: Path) -> None:
    flow = trial(folder).flow
    boxes = flow[flow["kind"].isin(["start", "excluded"])]
    assert boxes["remaining"].iloc[0] == 7
    assert (boxes["remaining"].shift() - boxes["left_out"]).iloc[1:].tolist() == boxes["remaining"].iloc[1:].tolist()
    left = boxes.set_index("box")["left_out"].iloc[1:].to_dict()
    assert left == {"asked": 1, "no back pain": 1, "survey weight above zero": 1, "every confounder known": 1}
    kinds = flow.set_index("box")["remaining"]
    assert kinds["treated"] + kinds["untreated"] == boxes["remaining"].iloc[-1]
    assert kinds["untreated: followed"] + kinds["untreated: lost"] == kinds["untreated"]
    assert kinds["treated: new back pain"] == 1


def test_an_unknown_eligibility_has_a_box_of_its_own(folder: Path) -> None:
    protocol = bend(
        PROTOCOL,
        "eligibility",
        {"asked": {"age": {"minimum": 20, "maximum": 69}}, "a man or a woman": {"sex": ["male", "female"]}},
    )
    flow = trial(folder, protocol=protocol).flow.set_index("box")
    assert flow.loc["a man or a woman: known", "left_out"] == 1
    assert flow.loc["a man or a woman", "left_out"] == 0


def test_somebody_in_neither_arm_has_a_box(folder: Path) -> None:
    people = PEOPLE.assign(treated=PEOPLE["treated"].where(PEOPLE["person"] != "b"))
    assert trial(folder, people=people).flow.set_index("box").loc["in one of the two arms", "left_out"] == 1


def test_panels_share_their_weights_and_the_skeleton_counts_shared_psus_once(folder: Path) -> None:
    survey = bend(SURVEY, "waves", {"values": [1, 2, 3], "panel": "PANEL", "panels": {7: [1, 2], 8: [2, 3]}})
    people = pd.concat(
        [PEOPLE.assign(panel=7), PEOPLE.assign(panel=8, person=PEOPLE["person"] + "8")], ignore_index=True
    )
    found = trial(folder, people=people, survey=survey)
    assert found.participants["weight"].sum() == pytest.approx(14.0)
    assert len(found.skeleton) == 4
    assert len(found.skeleton[["stratum", "psu"]].drop_duplicates()) == 2


def test_people_seen_only_by_a_match_can_be_left_out_of_the_followed(folder: Path) -> None:
    people = PEOPLE.assign(
        seen_by=[
            "match" if (p, o) == ("b", 1) else "record" for p, o in zip(PEOPLE["person"], PEOPLE["order"], strict=True)
        ]
    )
    protocol = bend(PROTOCOL, "variations", {"strict": {"follow_up": {"seen_by": ["record"]}}})
    chosen = trial(folder, people=people, protocol=protocol).participants.set_index(["variation", "person"])
    assert bool(chosen.loc[("main", "b"), "followed"]) is True
    assert bool(chosen.loc[("strict", "b"), "followed"]) is False


def test_nobody_left_is_an_error_that_names_the_box(folder: Path) -> None:
    protocol = bend(PROTOCOL, "eligibility", {"asked": {"age": {"minimum": 68, "maximum": 69}}})
    with pytest.raises(ValueError, match="nobody is left after the box «asked»"):
        trial(folder, protocol=protocol)


def test_the_domain_of_an_association_is_marked_and_nobody_with_weight_is_cut_out(folder: Path) -> None:
    write(folder)
    people = PEOPLE[PEOPLE["order"] == 0].reset_index(drop=True)
    association = Association(
        name="groups",
        question="how many?",
        outcome={"variable": "back_pain", "event": ["present"], "label": "back pain"},
        exposure="treated",
        reference="none",
        domain={"asked": {"age": {"minimum": 20, "maximum": 69}}},
        adjustment=["sex"],
    )
    marked, flow = domain_of(people, association, load_survey("small"))
    assert marked["person"].tolist() == ["a", "b", "c", "d", "e", "g"]
    assert marked["in_domain"].tolist() == [True, True, True, False, True, False]
    assert flow.set_index("box").loc["taken: back pain", "remaining"] == 1
    assert len(skeleton(people, load_survey("small"))) == 2
