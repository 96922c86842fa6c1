"""The declared analysis in subgroups: each level by itself, all in one design, and whether they differ."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from backpain.cohort import emulate
from backpain.design import Design
from backpain.estimate import estimate
from backpain.harmonise import harmonise
from backpain.simulate import simulate
from backpain.spec import DeclarationError, Protocol, check_run, load_protocol, load_survey, load_variables
from backpain.trials import SUBGROUPS, subgroup_estimates
from backpain.trials.missing import handle
from test_controls import changed

SURVEY, VARIABLES = load_survey("demo"), load_variables()


def protocol(**more: Any) -> Protocol:
    return load_protocol("treatment-initiation").model_copy(update={"variations": {}, **more})


@pytest.fixture(scope="module")
def trial() -> tuple[pd.DataFrame, pd.DataFrame]:
    tables = simulate(SURVEY, VARIABLES, 5000, 12).tables
    whole = {
        file: pd.concat([t.assign(wave=w) for (f, w), t in tables.items() if f == file], ignore_index=True)
        for file in SURVEY.files
    }
    made = emulate(harmonise(whole, SURVEY, VARIABLES).people, protocol(), SURVEY)
    return made.participants, made.skeleton


@pytest.fixture(scope="module")
def found(trial: tuple[pd.DataFrame, pd.DataFrame]) -> pd.DataFrame:
    return subgroup_estimates(*trial, protocol(subgroups={"sex": None, "age": [40, 60]}), SURVEY, VARIABLES)


def test_every_level_has_a_row_for_each_scale(found: pd.DataFrame) -> None:
    assert found.columns.tolist() == SUBGROUPS
    levels = found[found["scale"] == "risk-ratio"].groupby("variable", sort=False)["level"].agg(list)
    assert levels["sex"] == ["male", "female"]
    assert levels["age"] == ["below 40", "40 to below 60", "60 and over"]
    shares = found[found["scale"] == "risk-ratio"].groupby("variable")["share"].sum()
    assert shares.to_numpy() == pytest.approx(1.0)


def test_a_level_is_the_trial_among_its_people_within_the_sample_of_all(
    trial: tuple[pd.DataFrame, pd.DataFrame], found: pd.DataFrame
) -> None:
    declared = protocol()
    people = handle(trial[0].reset_index(drop=True), declared).sets[0]
    women = people[people["sex"] == "female"].reset_index(drop=True)
    terms = [term.term for term in declared.assignment.confounders if term.variable != "sex"]
    everyone = Design.of(people, trial[1][["stratum", "psu"]].drop_duplicates(), nested=SURVEY.design.nested)
    skeleton = trial[1][["stratum", "psu"]].drop_duplicates()
    rows = estimate(women, terms, skeleton, estimators=["weighting"]).set_index("scale")
    told = found[(found["level"] == "female")].set_index("scale")
    for scale in ("risk-difference", "risk-ratio"):
        assert told.loc[scale, "estimate"] == pytest.approx(rows.loc[scale, "estimate"], rel=1e-12)
        assert told.loc[scale, "se"] == pytest.approx(rows.loc[scale, "se"], rel=1e-9)
    assert told["design_df"].tolist() == [everyone.degrees_of_freedom_in()] * 2


def test_two_levels_are_compared_by_t_with_what_they_share(
    trial: tuple[pd.DataFrame, pd.DataFrame], found: pd.DataFrame
) -> None:
    """By another way: the difference of the differences as one influence function."""
    from backpain.estimate import ESTIMATORS
    from backpain.nuisance import fit_nuisance

    declared = protocol()
    people = handle(trial[0].reset_index(drop=True), declared).sets[0]
    terms = [term.term for term in declared.assignment.confounders if term.variable != "sex"]
    whole, gap = np.zeros(len(people)), 0.0
    for sign, sex in ((1, "male"), (-1, "female")):
        rows = np.flatnonzero(people["sex"] == sex)
        own = people.iloc[rows].reset_index(drop=True)
        one = ESTIMATORS["weighting"](own, terms, fit_nuisance(own, terms))
        whole[rows] = sign * (one.influence[:, 0] - one.influence[:, 1])
        gap += sign * float(one.value[0] - one.value[1])
    design = Design.of(people, trial[1][["stratum", "psu"]].drop_duplicates(), nested=SURVEY.design.nested)
    t = gap / float(np.sqrt(design.covariance(whole)[0, 0]))
    p = 2 * stats.t.sf(abs(t), design.degrees_of_freedom_in())
    told = found[(found["variable"] == "sex") & (found["scale"] == "risk-difference")]
    assert told["p_alike"].to_numpy() == pytest.approx(p, rel=1e-8)


def test_a_level_without_an_estimate_says_why_and_the_others_stand(trial: tuple[pd.DataFrame, pd.DataFrame]) -> None:
    people = trial[0].copy()
    poor = people["health"] == "fair or poor"
    people.loc[poor & ~people["treated"].astype(bool), "health"] = "good"
    told = subgroup_estimates(people, trial[1], protocol(subgroups={"health": None}), SURVEY, VARIABLES)
    rows = told[told["scale"] == "risk-difference"].set_index("level")
    assert pd.isna(rows.loc["fair or poor", "estimate"])
    assert "untreated" in rows.loc["fair or poor", "reason"]
    assert np.isfinite(rows.loc["good", "estimate"])
    assert told["p_alike"].isna().all()


def test_nothing_is_declared_and_nothing_is_told(trial: tuple[pd.DataFrame, pd.DataFrame]) -> None:
    assert subgroup_estimates(*trial, protocol(subgroups={}), SURVEY, VARIABLES).empty


def test_cut_points_beyond_everybody_are_refused(trial: tuple[pd.DataFrame, pd.DataFrame]) -> None:
    with pytest.raises(ValueError, match="nobody's age is 200 and over"):
        subgroup_estimates(*trial, protocol(subgroups={"age": [200]}), SURVEY, VARIABLES)


@pytest.mark.parametrize(
    ("subgroups", "said"),
    [
        ({"income": None}, "subgroups > income: is no confounder"),
        ({"age": None}, "needs cut points"),
        ({"sex": [1]}, "needs null: it is a category"),
        ({"age": [60, 40]}, "must ascend"),
    ],
)
def test_a_subgroup_that_cannot_be_is_refused_before_the_first_job(
    tmp_path: Any, monkeypatch: pytest.MonkeyPatch, subgroups: dict[str, Any], said: str
) -> None:
    changed(tmp_path, monkeypatch, "protocols/treatment-initiation.yaml", lambda data: data.update(subgroups=subgroups))
    with pytest.raises(DeclarationError, match=said):
        check_run("demo")
