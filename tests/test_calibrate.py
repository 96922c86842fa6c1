"""Negative controls as declared, and the calibration of estimates by them."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from numpy.typing import ArrayLike
from scipy import stats

from backpain.calibrate import (
    CALIBRATED,
    CONSTANT,
    LINEAR,
    ErrorModel,
    Null,
    arms_profile,
    by_group,
    calibrate,
    calibrate_by,
    calibrate_profile,
    coefficient_profile,
    contours,
    curves_of,
    fit_error,
    fit_null,
    funnel,
    leave_one_out,
    normal_profile,
    weighted_profile,
)
from backpain.calibrate.integrals import Integrals
from backpain.nuisance import fit_nuisance
from backpain.regression import logistic

sys.path.append(str(Path(__file__).resolve().parent.parent / "benchmarks"))

from calibration import MEAN, TRUTH, few_events, normal_errors

CONFIG = Path(__file__).parent.parent / "config"
DECLARED: dict[str, dict[str, Any]] = yaml.safe_load((CONFIG / "controls/meps.yaml").read_text(encoding="utf-8"))
CONTROLS = DECLARED["controls"]
ORACLE = json.loads((Path(__file__).parent / "oracle/calibrate/calibrate.json").read_text(encoding="utf-8"))
ORACLE_CONTROLS = {"estimates": ORACLE["controls"]["estimate"], "errors": ORACLE["controls"]["se"]}
KINDS = {"infection", "injury", "skin", "eye or ear", "other"}


# The declaration


def test_there_are_at_least_thirty_controls_of_several_kinds() -> None:
    assert len(CONTROLS) >= 30
    assert {control["kind"] for control in CONTROLS.values()} == KINDS


@pytest.mark.parametrize("name", CONTROLS)
def test_every_control_says_what_it_is_and_why_treatment_does_not_change_it(name: str) -> None:
    control = CONTROLS[name]
    assert set(control) - {"doubt", "only"} == {"label", "kind", "codes", "because", "reference"}
    for words in ("label", "because", "reference"):
        assert control[words].strip(), words
    assert control["because"].endswith(".")
    assert set(control["codes"]) == {"ICD9CODX", "ICD10CDX"}


@pytest.mark.parametrize("system", ["ICD9CODX", "ICD10CDX"])
def test_no_code_stands_in_two_controls(system: str) -> None:
    codes = [code for control in CONTROLS.values() for code in control["codes"][system]]
    assert all(isinstance(code, str) and len(code) == 3 for code in codes)
    assert len(codes) == len(set(codes))


def test_no_control_holds_a_code_of_pain_or_of_depression_or_of_an_excluded_kind() -> None:
    lists = yaml.safe_load((CONFIG / "surveys/shared/meps.yaml").read_text(encoding="utf-8"))["codes"]
    held = {code for control in CONTROLS.values() for codes in control["codes"].values() for code in codes}
    assert not held & {code for codes in lists.values() for part in codes.values() for code in part}
    # Fractures, cataract, teeth, stomach and bowel, sleep, metabolic and sexual disorders, by chapter.
    numbers = {int(code) for code in held if code.isdigit()}
    for first, last in ((240, 279), (290, 327), (366, 366), (401, 459), (520, 549), (555, 579), (607, 608), (800, 829)):
        assert not numbers & set(range(first, last + 1)), (first, last)
    letters = {code for code in held if not code.isdigit()}
    assert not {code for code in letters if code[0] in "EFGI" or code in {"H26", "N52", "N94"}}
    assert {code for code in letters if code[0] == "K"} == {"K46"}  # hernia
    assert not letters & {"S02", "S12", "S22", "S32", "S42", "S52", "S62", "S72", "S82", "S92"}


# Profiles


def controls(estimates: ArrayLike, errors: ArrayLike) -> pd.DataFrame:
    """Normal profiles of controls 0, 1, 2 ..."""
    pairs = zip(np.asarray(estimates), np.broadcast_to(errors, np.shape(estimates)), strict=True)
    return pd.concat([normal_profile(str(place), *pair) for place, pair in enumerate(pairs)], ignore_index=True)


def test_a_normal_profile_gives_its_estimate_and_standard_error_back() -> None:
    (curve,) = curves_of(normal_profile("acne", 0.3, 0.2))
    assert [curve.estimate, curve.se] == pytest.approx([0.3, 0.2], rel=1e-8)
    assert curve.at(np.array([0.5])) == pytest.approx([-0.5], rel=1e-8)


def test_a_profile_goes_on_straight_beyond_its_grid() -> None:
    values = np.linspace(-1, 1, 21)
    (curve,) = curves_of(pd.DataFrame({"control": "acne", "value": values, "log_likelihood": -np.abs(values)}))
    assert curve.at(np.array([-3.0, 3.0])) == pytest.approx([-3, -3])


def test_the_profile_of_two_arms_agrees_with_a_search_by_r() -> None:
    few = ORACLE["few"]
    for ratio, told in (("risk-ratio", "heights"), ("odds-ratio", "heights_odds")):
        (curve,) = curves_of(arms_profile("few", tuple(few["risk"]), tuple(few["people"]), ratio))
        found, expected = curve.at(np.array(ORACLE["at"])), np.array(ORACLE[told])
        assert found - found[2] == pytest.approx(expected - expected[2], rel=1e-8, abs=1e-8)


def test_the_profile_of_a_coefficient_agrees_with_r_when_it_is_held() -> None:
    people = {name: np.array(values) for name, values in ORACLE["people"].items()}
    matrix = np.column_stack([np.ones(80), people["treated"], people["x"]])
    fitted = logistic(matrix, people["event"], people["weight"], ["intercept", "treated", "x"])
    (curve,) = curves_of(coefficient_profile(fitted, "treated", ORACLE["variance"], "held", values=257))
    assert curve.se == pytest.approx(ORACLE["variance"] ** 0.5, rel=1e-4)  # a spline has its bend to that
    assert curve.at(np.array(ORACLE["held_at"])) == pytest.approx(ORACLE["coefficient"], rel=1e-6)


def test_an_arm_without_events_has_a_profile_but_no_estimate() -> None:
    (curve,) = curves_of(arms_profile("rare", (0.0, 0.003), (3000, 1000)))
    assert np.isnan(curve.estimate)
    assert not curve.falls_off
    assert curve.at(np.array([-6.0]))[0] > curve.at(np.array([0.0]))[0]


def test_an_arm_weighted_to_half_its_people_says_half_as_much() -> None:
    (whole,) = curves_of(arms_profile("acne", (0.01, 0.01), (2000, 1000)))
    (half,) = curves_of(arms_profile("acne", (0.01, 0.01), (1000, 500)))
    assert half.se == pytest.approx(whole.se * 2**0.5, rel=1e-4)


def people(events: tuple[int, int], weights: tuple[float, float] = (1.0, 1.0)) -> pd.DataFrame:
    """300 treated and 100 untreated people; in each arm every other person has the second weight."""
    treated = np.repeat([True, False], [300, 100])
    event = np.concatenate([np.arange(300) < events[0], np.arange(100) < events[1]])
    weight = np.tile(weights, 200)
    return pd.DataFrame({"treated": treated, "event": event, "followed": True, "weight": weight})


def test_a_weighted_trial_counts_people_as_their_weights_are_worth() -> None:
    even, uneven = (fit_nuisance(people((12, 4), weights), []) for weights in ((1.0, 1.0), (1.0, 3.0)))
    (same,), (blunt,) = (curves_of(weighted_profile(each, "acne")) for each in (even, uneven))
    plain = curves_of(arms_profile("acne", (0.04, 0.04), (300, 100)))[0]
    assert [same.estimate, same.se] == pytest.approx([plain.estimate, plain.se], abs=1e-9)
    # Weights 1 and 3: 4^2 / (2 x (1 + 9)) = 0.8 of the people.
    assert blunt.se == pytest.approx(plain.se / 0.8**0.5, rel=1e-6)
    (clustered,) = curves_of(weighted_profile(even, "acne", design_effect=2.0))
    assert clustered.se == pytest.approx(plain.se * 2**0.5, rel=1e-6)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"value": np.nan}, "missing or infinite"),
        ({"value": 0.0}, "twice"),
        ({"log_likelihood": 0.0}, "flat"),
    ],
)
def test_a_profile_that_cannot_be_read_is_refused(change: dict[str, float], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        fit_null(controls([0.1, 0.2, 0.3], 0.1).assign(**change))


def test_what_makes_no_profile_is_refused() -> None:
    with pytest.raises(ValueError, match="nobody had the event"):
        arms_profile("rare", (0.0, 0.0), (100, 100))
    with pytest.raises(ValueError, match="choose risk-ratio"):
        arms_profile("rare", (0.1, 0.1), (100, 100), "hazard-ratio")
    with pytest.raises(ValueError, match="no column log_likelihood"):
        curves_of(controls([0.1], 0.1).drop(columns="log_likelihood"))
    with pytest.raises(ValueError, match="finer grid"):
        curves_of(controls([0.1], 0.1).iloc[::100])
    with pytest.raises(ValueError, match="make no profile"):
        normal_profile("acne", 0.1, 0.0)


def test_a_profile_needs_models_that_settled() -> None:
    everyone = people((12, 4))
    certain = fit_nuisance(everyone.assign(age=everyone["treated"].astype(float)), ["age"])
    with pytest.raises(ValueError, match="acne: the weights cannot be used: propensity"):
        weighted_profile(certain, "acne")
    matrix = np.column_stack([np.ones(400), everyone["treated"]])
    told = (everyone["event"].to_numpy(), everyone["weight"].to_numpy(), ["intercept", "treated"])
    fitted, split = (logistic(matrix, event, *told[1:]) for event in (told[0], told[0] & (matrix[:, 1] == 1)))
    with pytest.raises(ValueError, match="`arms_profile` may do"):
        coefficient_profile(split, "treated", 0.1, "acne")
    with pytest.raises(ValueError, match="no column 'age'; it has intercept, treated"):
        coefficient_profile(fitted, "age", 0.1, "acne")
    with pytest.raises(ValueError, match="is not above 0"):
        coefficient_profile(fitted, "treated", 0.0, "acne")


# The null


@pytest.mark.parametrize("penalty", ["none", "gamma", "half-normal"])
def test_the_null_of_normal_controls_agrees_with_r(penalty: str) -> None:
    null = fit_null(controls(**ORACLE_CONTROLS), penalty)
    assert [null.mean, null.sd] == pytest.approx(ORACLE["null"][penalty], rel=1e-8)


def test_a_likelihood_is_integrated_over_a_normal_as_r_does_it() -> None:
    few = ORACLE["few"]
    integrals = Integrals(curves_of(arms_profile("few", tuple(few["risk"]), tuple(few["people"]))), 3.0)
    found = np.array([integrals.marginal(np.array([mean]), sd)[0, 0] for mean, sd in ORACLE["normals"]])
    expected = np.array(ORACLE["marginal"])
    assert found - found[0] == pytest.approx(expected - expected[0], rel=1e-8, abs=1e-8)


def test_the_posterior_of_the_null_agrees_with_quadrature_by_r() -> None:
    null = fit_null(controls(**ORACLE_CONTROLS), "half-normal")
    mean, sd, p = ORACLE["posterior"]
    assert null.weight.sum(axis=0) @ null.means == pytest.approx(mean, rel=1e-7)
    assert null.weight.sum(axis=1) @ null.sds == pytest.approx(sd, rel=1e-4)
    seen = pd.DataFrame({"estimate": [ORACLE["seen"][0]], "se": [ORACLE["seen"][1]]})
    assert calibrate(seen, null)["calibrated_p"].item() == pytest.approx(p, rel=1e-7)


KNOWN = np.array([-0.2, 0.0, 0.1, 0.15, 0.2, 0.3, 0.45, 0.1, 0.25, 0.05])


def test_controls_known_exactly_give_a_t_distribution() -> None:
    # Flat in mean and sd, so two degrees of freedom less than there are controls.
    n = len(KNOWN)
    scale = (((KNOWN - KNOWN.mean()) ** 2).sum() / (n - 2) / n) ** 0.5
    null = fit_null(controls(KNOWN, 0.005), "none", largest_sd=1.0)
    seen = pd.DataFrame({"estimate": [0.5, -0.4], "se": 1e-6})
    expected = 2 * stats.t.sf(np.abs(seen["estimate"].to_numpy() - KNOWN.mean()) / scale / (n + 1) ** 0.5, n - 2)
    assert calibrate(seen, null)["calibrated_p"].to_numpy() == pytest.approx(expected, rel=5e-3)
    row = null.row()
    ends = KNOWN.mean() + stats.t.ppf([0.025, 0.975], n - 2) * scale
    assert [row["mean_low"], row["mean_high"]] == pytest.approx(ends, abs=0.003)
    assert 0 < row["sd_low"] < row["sd"] < row["sd_high"]


def test_controls_without_systematic_error_have_an_sd_of_zero_which_gamma_keeps_off() -> None:
    same = controls([0.1, 0.12, 0.08, 0.1, 0.11], 0.3)
    assert fit_null(same, "none").sd == 0
    assert fit_null(same, "gamma").sd > 0.05
    assert fit_null(same, "half-normal").sd_se > 0.05


def test_a_control_far_out_moves_the_null_and_is_found_by_leaving_it_out() -> None:
    found = leave_one_out(controls([0.0, 0.1, -0.1, 0.05, -0.05, 0.1, 2.0], 0.1))
    assert found["calibrated_p"].idxmin() == 6
    assert found.loc[6, "calibrated_p"] < 0.01 < found.loc[:5, "calibrated_p"].min()
    assert found.loc[6, "sd"] < 0.1 < found.loc[:5, "sd"].min()


def test_leaving_one_out_is_fitting_the_others() -> None:
    every = controls([0.0, 0.3, -0.2, 0.4, 0.1, 0.25], [0.1, 0.2, 0.15, 0.3, 0.1, 0.2])
    found = leave_one_out(every, groups={"2": "skin"})
    alone = fit_null(every[every["control"] != "2"])
    assert [found.loc[2, "mean"], found.loc[2, "sd"]] == pytest.approx([alone.mean, alone.sd], abs=1e-9)
    assert found.loc[2, "controls"] == 5
    assert found.loc[2, "group"] == "skin"
    normal = calibrate(pd.DataFrame({"estimate": [-0.2], "se": [0.15]}), alone)
    assert found.loc[2, "calibrated_p"] == pytest.approx(normal["calibrated_p"].item(), abs=1e-3)


def test_leaving_out_a_kind_is_fitting_the_other_kinds() -> None:
    every = controls([0.0, 0.3, -0.2, 0.4, 0.1, 0.9], 0.1)
    kinds = dict(zip("012345", ["skin"] * 3 + ["injury"] * 3, strict=True))
    found = by_group(every, kinds).set_index("without", drop=False)
    assert found["controls"].tolist() == [6, 3, 3]
    assert found.loc["injury", "mean"] == pytest.approx(fit_null(every[every["control"] < "3"]).mean, abs=1e-9)


def test_too_few_controls_and_unknown_penalties_are_refused() -> None:
    with pytest.raises(ValueError, match="give at least 3"):
        fit_null(controls([0.1, 0.2], 0.1))
    with pytest.raises(ValueError, match="choose none, gamma, half-normal"):
        fit_null(controls([0.1, 0.2, 0.3], 0.1), "ridge")
    with pytest.raises(ValueError, match="without bound"):
        fit_null(controls([-1.0, 0.0, 1.0], 0.1), "none")


# Calibrated estimates


SEEN = pd.DataFrame({"outcome": ["back pain", "none"], "estimate": [0.5, 0.05], "se": [0.1, 0.2]})


def test_p_and_interval_with_the_null_taken_as_known_agree_with_r() -> None:
    seen = pd.DataFrame({"estimate": [ORACLE["seen"][0]], "se": [ORACLE["seen"][1]]})
    found = calibrate(seen, fit_null(controls(**ORACLE_CONTROLS), "none"), uncertain=False).iloc[0]
    told = ["calibrated_estimate", "calibrated_low", "calibrated_high", "calibrated_p"]
    assert found[told].to_numpy(dtype=float) == pytest.approx(ORACLE["calibrated"], rel=1e-8)


def test_without_systematic_error_calibration_changes_nothing() -> None:
    null = Null(0.0, 0.0, 50, "none", np.zeros(1), np.zeros(1), np.ones((1, 1)))
    found = calibrate(SEEN, null)
    assert found["calibrated_p"].to_numpy() == pytest.approx(found["p"].to_numpy(), rel=1e-12)
    assert found["calibrated_estimate"].to_numpy() == pytest.approx(SEEN["estimate"].to_numpy())


def test_every_row_says_what_its_interval_assumes_and_keeps_what_it_had() -> None:
    found = calibrate(SEEN, fit_null(controls([0.0, 0.2, 0.1, 0.3, 0.15], 0.1)))
    assert found["outcome"].tolist() == ["back pain", "none"]
    assert set(found["assumption"]) == {CONSTANT}
    assert set(CALIBRATED) <= set(found)


def test_the_interval_holds_no_effect_exactly_when_p_is_not_small() -> None:
    null = fit_null(controls([0.0, 0.2, 0.1, 0.3, 0.15, 0.1, 0.2], 0.05))
    seen = pd.DataFrame({"estimate": np.linspace(-0.6, 1.2, 61), "se": 0.1})
    found = calibrate(seen, null)
    inside = (found["calibrated_low"] < 0) & (found["calibrated_high"] > 0)
    assert (inside == (found["calibrated_p"] > 0.05)).all()
    assert inside.any()
    assert not inside.all()


def test_integrating_over_the_null_widens_the_interval() -> None:
    null = fit_null(controls([0.0, 0.2, 0.1, 0.4], 0.1))
    wide, narrow = (calibrate(SEEN, null, uncertain=uncertain) for uncertain in (True, False))
    assert (
        (wide["calibrated_high"] - wide["calibrated_low"]) > narrow["calibrated_high"] - narrow["calibrated_low"]
    ).all()


@pytest.mark.parametrize("uncertain", [True, False])
def test_a_normal_profile_is_calibrated_like_its_estimate(uncertain: bool) -> None:
    null = fit_null(controls([0.0, 0.2, 0.1, 0.3, 0.15], 0.1))
    told = ["p", "calibrated_estimate", "calibrated_se", "calibrated_low", "calibrated_high", "calibrated_p"]
    by_profile = calibrate_profile(controls(SEEN["estimate"], SEEN["se"]), null, uncertain=uncertain)[told]
    by_number = calibrate(SEEN, null, uncertain=uncertain)[told]
    assert by_profile.to_numpy() == pytest.approx(by_number.to_numpy(), abs=1e-3)


def test_a_profile_that_does_not_fall_off_gets_no_numbers_and_says_why() -> None:
    null = fit_null(controls([0.0, 0.2, 0.1], 0.1))
    found = calibrate_profile(arms_profile("rare", (0.0, 0.003), (3000, 1000)), null).iloc[0]
    assert np.isnan(found["calibrated_p"])
    assert "no events" in found["reason"]


def test_estimates_without_a_standard_error_are_refused() -> None:
    null = fit_null(controls([0.0, 0.2, 0.1], 0.1))
    with pytest.raises(ValueError, match="not above 0"):
        calibrate(SEEN.assign(se=0.0), null)
    with pytest.raises(ValueError, match="no column se"):
        calibrate(SEEN[["estimate"]], null)
    with pytest.raises(ValueError, match="between 0 and 1"):
        calibrate(SEEN, null, level=95)


# Positive controls


POSITIVE = ORACLE["positive"]


def test_the_error_model_is_at_least_as_likely_as_rs() -> None:
    truth = {str(place): value for place, value in enumerate(POSITIVE["truth"])}
    seen = np.array(ORACLE["controls"]["estimate"]) + POSITIVE["truth"]
    error = fit_error(controls(seen, ORACLE["controls"]["se"]), truth)
    known = np.array(POSITIVE["truth"])
    scale = np.hypot(ORACLE["controls"]["se"], error.spread + error.growth * known)
    reached = stats.norm.logpdf(seen, known + error.intercept + error.slope * known, scale).sum()
    assert reached >= POSITIVE["top"] - 1e-9
    assert [error.intercept, error.slope, error.spread] == pytest.approx(POSITIVE["model"][:3], abs=1e-5)


def test_an_interval_by_positive_controls_agrees_with_r() -> None:
    seen = pd.DataFrame({"estimate": [ORACLE["seen"][0]], "se": [ORACLE["seen"][1]]})
    found = calibrate_by(seen, ErrorModel(*POSITIVE["known"], controls=25)).iloc[0]
    told = ["calibrated_estimate", "calibrated_low", "calibrated_high"]
    assert found[told].to_numpy(dtype=float) == pytest.approx(POSITIVE["ends"], rel=1e-8)
    assert found["assumption"] == LINEAR


def test_an_error_that_does_not_change_with_the_effect_gives_the_interval_of_the_null() -> None:
    null = Null(0.1, 0.2, 30, "none", np.array([0.1]), np.array([0.2]), np.ones((1, 1)))
    told = ["calibrated_estimate", "calibrated_low", "calibrated_high", "calibrated_p"]
    by_null = calibrate(SEEN, null, uncertain=False)[told].to_numpy()
    assert calibrate_by(SEEN, ErrorModel(0.1, 0.0, 0.2, 0.0, 30))[told].to_numpy() == pytest.approx(by_null, rel=1e-8)


def test_an_error_model_needs_positive_controls() -> None:
    every = controls([0.0, 0.2, 0.1, 0.3, 0.2], 0.1)
    with pytest.raises(ValueError, match="positive ones among them"):
        fit_error(every, dict.fromkeys("01234", 0.0))
    with pytest.raises(ValueError, match="control '4' has none"):
        fit_error(every, dict.fromkeys("0123", 0.0))


# What is drawn


def test_on_a_contour_p_is_a_twentieth() -> None:
    null = fit_null(controls([0.0, 0.2, 0.1, 0.3, 0.15], 0.1))
    drawn = contours(null, [0.05, 0.3])
    assert drawn["high"].to_numpy() == pytest.approx([0.05 * 1.959964, 0.3 * 1.959964], rel=1e-6)
    for side in ("calibrated_low", "calibrated_high"):
        found = calibrate(pd.DataFrame({"estimate": drawn[side], "se": drawn["se"]}), null)
        assert found["calibrated_p"].to_numpy() == pytest.approx([0.05, 0.05], rel=1e-6)


def test_a_funnel_has_a_point_for_every_control_with_a_top() -> None:
    every = pd.concat([controls([0.0, 0.2, 0.1, 0.9], 0.1), arms_profile("rare", (0.0, 0.003), (3000, 1000))])
    points = funnel(leave_one_out(every))
    assert points["control"].tolist() == ["0", "1", "2", "3"]
    assert points["significant"].tolist() == [False, True, False, True]


def test_contours_refuse_negative_standard_errors() -> None:
    with pytest.raises(ValueError, match="from 0 on"):
        contours(fit_null(controls([0.0, 0.2, 0.1], 0.1)), [-0.1])


# Does it work? Larger in benchmarks/calibration.py.


def test_with_few_events_profiles_find_the_mean_that_normal_standard_errors_miss() -> None:
    measured = few_events(repetitions=24, untreated=2.5)
    bias = measured.groupby("way")["mean"].mean() - MEAN
    spread = measured.groupby("way")["mean"].std() / 24**0.5
    assert abs(bias["profile"]) < 2.5 * spread["profile"]
    assert bias["normal"] < -2.5 * spread["normal"]


def test_calibrated_p_rejects_a_true_null_seldom_where_plain_p_rejects_often() -> None:
    measured = normal_errors(repetitions=60)
    assert (measured["p"] < 0.05).mean() > 0.3
    assert (measured["calibrated_p"] < 0.05).mean() < 0.15
    assert ((measured["calibrated_low"] < TRUTH) & (measured["calibrated_high"] > TRUTH)).mean() > 0.85
