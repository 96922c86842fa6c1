"""Fingerprints of the declarations a job uses, so that it runs again exactly when those change."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

from backpain.project import digest
from backpain.spec import (
    load_association,
    load_audit,
    load_claims,
    load_controls,
    load_protocol,
    load_run,
    load_study,
    load_survey,
    load_variables,
    members_of,
)

WORDS = {"title", "source", "citation", "licence", "assumptions"}
PROTOCOL_WORDS = {
    "question",
    "estimand_words",
    "time_zero",
    "rationale",
    "components",
    "windows",
    "time_zero_month",
    "assumptions",
    "limits",
    "smallest_effect",
    "primary_estimator",
}


def declared(
    run: str | None = None,
    survey: str | None = None,
    protocol: str | None = None,
    association: str | None = None,
    audit: str | None = None,
    part: str | None = None,
    claims: bool = False,
    controls: bool = False,
    effect: bool = False,
    study: str | None = None,
    place: int | None = None,
    everything: bool = False,
) -> str:
    """The fingerprint of what a job uses of the declarations.

    `part` narrows a survey to its `files`, to what `raw` tables are read and checked by, to its `variables`, or to the
    `design` an analysis needs of it; `words` adds the labels that only figures show. `controls` adds the trial's list of
    negative controls, `effect` the smallest effect that matters and the primary estimator. `everything` adds the words of
    all that a run names.
    """
    used: dict[str, Any] = {}
    if survey is not None:
        used["survey"] = _survey(survey, part)
    if protocol is not None:
        used["protocol"] = _plain(load_protocol(protocol), set() if part == "words" else PROTOCOL_WORDS)
        if controls and (list_ := load_protocol(protocol).calibration) is not None:
            used["controls"] = _plain(load_controls(list_.controls), {"left_out"})
        if effect:
            declared_ = load_protocol(protocol)
            used["effect"] = [declared_.smallest_effect, declared_.primary_estimator]
    if study is not None:
        used["study"] = _study(study, place, part)
    if audit is not None:
        used["audit"] = _plain(load_audit(audit), {"title", "question", "limits", "assumptions"})
    if association is not None:
        used["association"] = _plain(load_association(association), {"question", "limits", "assumptions"})
    if part in ("variables", "words") or everything:
        used["labels"] = _labels(survey)
    if run is not None:
        used["run"] = _run(run, everything)
    if claims:
        used["claims"] = _plain(load_claims(), set())
    return digest(used)


def _plain(model: BaseModel, without: set[str]) -> Any:
    return model.model_dump(mode="json", by_alias=True, exclude=without, exclude_none=True)


def _survey(name: str, part: str | None) -> Any:
    survey = load_survey(name)
    if part == "files":
        return {
            "waves": _plain(survey.waves, set()),
            "files": {name: _origin(file) for name, file in {**survey.files, **survey.lookups}.items()},
        }
    if part == "design":
        components = {name: sorted(survey.components({name})) for name in survey.variables}
        return {
            **_plain(survey, WORDS | {"files", "lookups", "codes", "checks", "variables", "published", "links"}),
            **components,
        }
    if part == "words":
        return {"title": survey.title, "waves": _plain(survey.waves, set())}
    return _plain(survey, WORDS)


def _study(name: str, place: int | None, part: str | None) -> Any:
    """Of one scenario's repetitions, of its `truth`, or of the whole study."""
    study = load_study(name)
    if place is None:
        return _plain(study, set())
    scenario = _plain(study.scenario(list(study.scenarios)[place]), set())
    if part == "truth":
        return [scenario, study.seed, study.truth_people]
    if part == "refitted":
        return [scenario, study.seed, study.chunk, _plain(study.refitted, set()) if study.refitted else None]
    return [scenario, study.seed, study.chunk, study.estimators]


def _origin(file: BaseModel) -> Any:
    keys = {"path", "or_", "url", "obtain", "member", "sha256", "megabytes", "waves"}
    return file.model_dump(mode="json", include=keys, exclude_none=True)


def _labels(survey: str | None) -> Any:
    answered = load_survey(survey).variables if survey is not None else None
    return {
        name: _plain(variable, set())
        for name, variable in load_variables().items()
        if answered is None or name in answered
    }


def _run(name: str, everything: bool) -> Any:
    run = load_run(name)
    used = {"run": _plain(run, set() if everything else {"title", "summary"})}
    if everything:
        named = [member for found in members_of(run).values() for member in found]
        used["surveys"] = [_plain(load_survey(survey), set()) for survey in dict.fromkeys([*run.surveys, *named])]
        used["protocols"] = [_plain(load_protocol(protocol), set()) for protocol, _ in run.trials]
        used["audits"] = [_plain(load_audit(audit), set()) for audit, _ in run.audits]
        used["associations"] = [_plain(load_association(association), set()) for association, _ in run.associations]
    return used
