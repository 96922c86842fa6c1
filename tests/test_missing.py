"""Missing confounders as a declared choice, and how standard errors are found: declared, refused, carried through."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from backpain.design import Design, replicated
from backpain.estimate import estimate
from backpain.impute import pool
from backpain.regression import design_matrix
from backpain.spec import DeclarationError, Plan, imputing_jobs, load_protocol, load_survey, plan_of
from backpain.spec.analysis import Assignment, Variance
from backpain.trials import convergence, impute_trial, joined
from backpain.trials.missing import handle, imputation_plan, imputed

CONFIG = Path(__file__).parent.parent / "config"
CONFOUNDERS = ["age", "sex", "education"]


@pytest.fixture(autouse=True)
def real_declarations(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BACKPAIN_CONFIG", str(CONFIG))


def people(number: int = 600, seed: int = 8) -> pd.DataFrame:
    """A made-up trial of 12 PSUs in which education is missing more often for the treated."""
    rng = np.random.default_rng(seed)
    age, sex = rng.integers(20, 80, number).astype(float), rng.choice(["female", "male"], number)
    schooled = rng.random(number) < 0.3 + 0.004 * age
    treated = rng.random(number) < 0.3 + 0.3 * schooled
    event = rng.random(number) < 0.1 + 0.2 * schooled
    gone = rng.random(number) < np.where(treated, 0.3, 0.1)
    education = pd.Categorical(np.where(schooled, "more", "less"), ["less", "more"])
    frame = pd.DataFrame(
        {
            "person": np.arange(number).astype(str),
            "stratum": np.arange(number) % 6,
            "psu": np.arange(number) % 12 // 6,
            "weight": rng.gamma(3, 100, number),
            "treated": treated,
            "followed": rng.random(number) < 0.9,
            "age": age,
            "sex": sex,
            "education": pd.Series(education).mask(gone),
        }
    )
    frame["event"] = pd.Series(event, dtype="boolean").mask(~frame["followed"])
    return frame.assign(complete=frame["education"].notna(), seen_by="record")


def plan(**assignment: Any) -> Plan:
    protocol = load_protocol("treatment-initiation")
    fields = plan_of(protocol, "main").model_dump(by_alias=True, exclude_none=True)
    fields["assignment"] = {"confounders": CONFOUNDERS, **assignment}
    return Plan.model_validate(fields)


IMPUTED = {"missing": "imputed", "imputation": {"m": 4, "iterations": 4, "seed": 3, "design_effects": "stratum"}}


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"missing": "imputed"}, "`missing: imputed` and `imputation` go together"),
        ({"imputation": {"seed": 1}}, "`missing: imputed` and `imputation` go together"),
        ({"missing": "weighted"}, "`missing: weighted` and `response` go together"),
        ({"missing": "imputed", "imputation": {"m": 1, "seed": 1}}, "greater than or equal to 2"),
        ({"missing": "imputed", "imputation": {"m": 5}}, "seed"),
    ],
)
def test_a_way_with_missing_values_is_declared_whole_or_refused(fields: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Assignment.model_validate({"confounders": ["age"], **fields})


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"method": "bootstrap", "replicates": 100}, "takes `replicates` and `seed`"),
        ({"method": "jkn", "seed": 1}, "takes nothing else"),
        ({"method": "fay"}, "takes `rho`"),
        ({"method": "fay", "rho": 1.0}, "less than 1"),
        ({"method": "linearised", "workers": 2}, "`workers` share refits"),
        ({"replicates": 100}, "takes nothing else"),
    ],
)
def test_a_way_to_standard_errors_takes_what_it_needs_and_nothing_else(fields: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Variance.model_validate(fields)


def test_each_way_to_standard_errors_reaches_the_design() -> None:
    told = Variance.model_validate({"method": "bootstrap", "replicates": 20, "seed": 1}).resampling
    assert told == {"kind": "bootstrap", "replicates": 20, "seed": 1, "workers": 1}
    assert Variance().resampling is None
    design = Design.of(people())
    for method in (
        {"method": "jkn"},
        {"method": "brr"},
        {"method": "fay", "rho": 0.3},
        {"method": "bootstrap", **told},
    ):
        fields = {name: value for name, value in method.items() if name != "kind"}
        replicated(design, **(Variance.model_validate(fields).resampling or {}))


def test_a_label_that_would_run_into_the_numbers_of_the_forest_plot_is_refused() -> None:
    fields = plan().model_dump(by_alias=True, exclude_none=True)
    with pytest.raises(ValueError, match="at most 60 characters"):
        Plan.model_validate(
            {**fields, "label": "Standard errors from 500 bootstrap replicates, every model fitted again"}
        )


def test_interactions_and_restricted_cubic_splines_reach_the_models() -> None:
    spline = {"variable": "age", "as": "restricted-cubic-spline", "knots": 5}
    chosen = plan(confounders=[spline, "sex", "education"], interactions=[["sex", "education"]])
    everyone = people()[lambda frame: frame["complete"]].reset_index(drop=True)
    _, columns = design_matrix(everyone, chosen.assignment.terms)
    assert sum("age" in column for column in columns) == 4
    assert any("sex" in column and "education" in column for column in columns)
    rows = estimate(everyone, chosen.assignment.terms, estimators=["weighting"])
    assert rows["converged"].all()
    with pytest.raises(ValueError, match="income is no confounder; name it among them first"):
        plan(confounders=["age"], interactions=[["age", "income"]])
    with pytest.raises(ValueError, match="less than or equal to 7"):
        plan(confounders=[{**spline, "knots": 9}])


def test_interactions_stand_in_the_imputation_models_too() -> None:
    chosen = plan(**IMPUTED, interactions=[["sex", "education"]])
    assert ("sex", "education") in imputation_plan(people(), chosen).products


def test_weighted_complete_cases_take_no_replicates() -> None:
    fields = plan(missing="weighted", response=["age"]).model_dump(by_alias=True, exclude_none=True)
    with pytest.raises(ValueError, match="linearised"):
        Plan.model_validate({**fields, "variance": {"method": "jkn"}})


def test_complete_cases_are_those_who_lack_nothing() -> None:
    everyone = people()
    found = handle(everyone, plan())
    assert len(found.sets) == 1
    assert len(found.sets[0]) == everyone["complete"].sum()
    assert (
        handle(everyone[everyone["complete"]].reset_index(drop=True), plan(**IMPUTED))
        .sets[0]["education"]
        .notna()
        .all()
    )


def test_a_plan_that_imputes_needs_its_imputations() -> None:
    with pytest.raises(ValueError, match="run the rule `impute` first"):
        handle(people(), plan(**IMPUTED))


def test_eligibility_is_never_imputed() -> None:
    fields = plan(**IMPUTED).model_dump(by_alias=True, exclude_none=True)
    chosen = Plan.model_validate({**fields, "eligibility": {"schooled": {"education": ["more", "less"]}}})
    with pytest.raises(ValueError, match="education decides who takes part and must never be imputed"):
        imputation_plan(people(), chosen)


@pytest.fixture
def trial() -> tuple[Any, Any, pd.DataFrame]:
    """The demo's protocol cut down to one imputing variation, its survey, and its participants."""
    protocol, survey = load_protocol("treatment-initiation"), load_survey("demo")
    jobs = {"missing": "imputed", "imputation": {**IMPUTED["imputation"], "jobs": 2}}
    small = protocol.model_copy(
        update={
            "assignment": plan().assignment,
            "variations": {"imputed": {"label": "Imputed", "assignment": jobs}},
        }
    )
    everyone = people()
    parts = [everyone.assign(variation=name) for name in ("main", "imputed")]
    return small, survey, pd.concat(parts, ignore_index=True)


def test_jobs_share_the_imputations_and_together_make_the_same(trial: tuple[Any, Any, pd.DataFrame]) -> None:
    protocol, survey, participants = trial
    parts = [impute_trial(participants, protocol, survey, part) for part in (1, 2)]
    values = joined(part[0] for part in parts)
    alone = protocol.model_copy(
        update={
            "variations": {"imputed": {"assignment": {**IMPUTED, "imputation": {**IMPUTED["imputation"], "jobs": 1}}}}
        }
    )
    once = impute_trial(participants, alone, survey)[0]
    order = ["imputation", "row", "variable"]
    left, right = (frame.sort_values(order, ignore_index=True) for frame in (values, once))
    pd.testing.assert_frame_equal(left, right)
    assert sorted(values["imputation"].unique()) == [1, 2, 3, 4]
    assert set(values["variation"]) == {"imputed"}
    found = imputed(values, "imputed", people())
    assert found is not None
    assert found.numbers == (1, 2, 3, 4)
    assert imputed(values, "main", people()) is None
    told = convergence(joined(part[1] for part in parts))
    assert told.groupby("imputation").ngroups == 4
    assert told["r_hat"].notna().all()


def test_pooled_rows_are_rubins_rules_of_the_estimates_of_each_imputation(trial: tuple[Any, Any, pd.DataFrame]) -> None:
    protocol, survey, participants = trial
    values = joined(impute_trial(participants, protocol, survey, part)[0] for part in (1, 2))
    handled = handle(people(), plan(**IMPUTED), imputed(values, "imputed", people()))
    assert len(handled.sets) == 4
    assert all(one["education"].notna().all() for one in handled.sets)
    rows = estimate(handled.sets, CONFOUNDERS, estimators=["weighting"])
    each = [estimate(one, CONFOUNDERS, estimators=["weighting"]) for one in handled.sets]
    for scale in ("risk-difference", "risk-ratio"):
        mine = rows[rows["scale"] == scale].iloc[0]
        singles = [one[one["scale"] == scale].iloc[0] for one in each]
        working = [np.log(one["estimate"]) if scale == "risk-ratio" else one["estimate"] for one in singles]
        told = pool(working, se=[one["se"] for one in singles], df_complete=6)
        back = np.exp if scale == "risk-ratio" else float
        assert mine["estimate"] == pytest.approx(back(told.pooled[0]), rel=1e-12)
        assert mine["se"] == pytest.approx(told.se[0], rel=1e-12)
        assert mine["df"] == pytest.approx(told.df[0], rel=1e-12)
        assert mine["df"] < mine["design_df"] == 6
    assert rows["imputations"].eq(4).all()


def test_the_influence_through_the_response_model_is_the_slope_in_each_persons_weight() -> None:
    everyone, chosen = people(240), plan(missing="weighted", response=["age", "sex"])

    def difference(frame: pd.DataFrame) -> float:
        handled = handle(frame, chosen)
        rows = estimate(
            handled.sets, CONFOUNDERS, estimators=["weighting"], response=handled.response, sample=handled.whole
        )
        return float(rows.loc[rows["scale"] == "risk-difference", "estimate"].iloc[0])

    handled = handle(everyone, chosen)
    rows = estimate(
        handled.sets, CONFOUNDERS, estimators=["weighting"], response=handled.response, sample=handled.whole
    )
    se = float(rows.loc[rows["scale"] == "risk-difference", "se"].iloc[0])

    def moved(stratum: int, psu: int, step: float) -> float:
        there = (everyone["stratum"] == stratum) & (everyone["psu"] == psu)
        return difference(everyone.assign(weight=everyone["weight"].where(~there, everyone["weight"] * (1 + step))))

    # The PSU totals of the influence function, by brute force; with two PSUs a stratum adds their squared difference.
    totals = np.array(
        [
            [
                (4 * (moved(s, p, 1e-3) - moved(s, p, -1e-3)) / 2e-3 - (moved(s, p, 2e-3) - moved(s, p, -2e-3)) / 4e-3)
                / 3
                for p in (0, 1)
            ]
            for s in range(6)
        ]
    )
    assert se == pytest.approx(np.sqrt(((totals[:, 0] - totals[:, 1]) ** 2).sum()), rel=1e-6)


def test_the_demo_shares_its_imputations_between_two_jobs_and_the_public_trial_needs_none() -> None:
    assert imputing_jobs("treatment-initiation") == 2
    assert imputing_jobs("treatment-landmark") == 0


def test_a_helper_that_no_survey_answers_is_refused_before_the_first_job(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from backpain.spec import check_run

    for name in ("surveys", "associations", "controls"):
        (tmp_path / name).symlink_to(CONFIG / name)
    for name in ("variables.yaml", "claims.yaml", "demo.yaml"):
        (tmp_path / name).symlink_to(CONFIG / name)
    (tmp_path / "protocols").mkdir()
    text = (CONFIG / "protocols/treatment-initiation.yaml").read_text(encoding="utf-8")
    (tmp_path / "protocols/treatment-initiation.yaml").write_text(
        text.replace("seed: 20260101, jobs: 2", "seed: 20260101, jobs: 2, helped_by: [incme]"), encoding="utf-8"
    )
    monkeypatch.setenv("BACKPAIN_CONFIG", str(tmp_path))
    with pytest.raises(DeclarationError, match="incme"):
        check_run("demo")
