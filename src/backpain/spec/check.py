"""The cross-checks of a run: can these surveys answer these analyses at all? Everything before the first job."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from backpain.spec.analysis import Association, Plan, Protocol, Run, Variable
from backpain.spec.audit import Audit, Onset, Roles, Shares, bare
from backpain.spec.base import Range
from backpain.spec.load import (
    audit_variations,
    folder,
    load_association,
    load_audit,
    load_claims,
    load_protocol,
    load_run,
    load_survey,
    load_variables,
)
from backpain.spec.survey import Survey, Test
from backpain.spec.variation import controlled, panels_of, specifications, variations
from backpain.spec.yaml import DeclarationError, nearest

SUPPLIED = {"panel", "seen_by", "wave"}


def check_run(name: str) -> Run:
    """Load a run and everything it names, and check that all of it fits together.

    Raises
    ------
    DeclarationError
        With every problem found: the file, the key, what is wrong, the nearest known name, the remedy.
    """
    run = load_run(name)
    variables = load_variables()
    problems: list[str] = []
    surveys = {survey: load_survey(survey) for survey in run.surveys}
    for survey in surveys.values():
        problems += _answers(survey, variables)
    for protocol, place in run.trials:
        problems += _trial(load_protocol(protocol), surveys[place], variables)
    for association, place in run.associations:
        problems += _association(load_association(association), surveys[place], variables)
    for audit, place in run.audits:
        problems += _audit(load_audit(audit), surveys[place], variables)
    problems += _thresholds(run)
    if run.simulated and run.people is None:
        problems.append(f"{folder() / name}.yaml: a simulated run needs `people`, how many to make up")
    if problems:
        raise DeclarationError(dict.fromkeys(problems))
    return run


def _thresholds(run: Run) -> list[str]:
    """The smallest effect that matters is one number, in the trial and in the rule that judges it."""
    path = folder() / "claims.yaml"
    if not path.exists():
        return []
    declared = {protocol: load_protocol(protocol).smallest_effect for protocol, _ in run.trials}
    return [
        f"{path}: {rule.claim} on {rule.analysis}: smallest_effect {rule.smallest_effect:g} is {declared[rule.analysis]:g} "
        f"in protocols/{rule.analysis}.yaml; a threshold is set once, before the estimate is seen: make them the same"
        for rule in load_claims().claims
        if rule.analysis in declared and rule.smallest_effect != declared[rule.analysis]
    ]


def members_of(run: Run) -> dict[str, list[str]]:
    """The surveys whose files a run reads, for each of its surveys: itself, or those that it pools."""
    pools = {survey: load_survey(survey).pool for survey in run.surveys}
    return {survey: list(pool.of) if pool is not None else [survey] for survey, pool in pools.items()}


def _answers(survey: Survey, variables: dict[str, Variable]) -> list[str]:
    """Every variable a survey answers is known, with categories that exist."""
    where = f"{folder() / 'surveys' / survey.name}.yaml"
    problems = []
    for name, mapping in survey.variables.items():
        if name not in variables:
            problems.append(f"{where}: variables > {name}: not in variables.yaml{nearest(name, variables)}")
            continue
        made = [*(mapping.recode or {}).values(), *(mapping.cut or {}), *(mapping.first_of or {})]
        made += [mapping.blank] if mapping.blank not in (None, "never", "missing") else []
        if mapping.kind in ("any", "all", "any_of", "is", "not"):
            made = ["absent", "present"]
        known = variables[name].categories
        if known is None:
            problems += [f"{where}: variables > {name}: is a number, but the mapping makes categories"] if made else []
            continue
        problems += [
            f"{where}: variables > {name}: {category!r} is not one of its categories{nearest(category, known)}"
            for category in made
            if category not in known
        ]
    return problems


def _tests(file: str, place: str, tests: dict[str, Any], variables: dict[str, Variable]) -> list[str]:
    problems = []
    for name, test in tests.items():
        if name in SUPPLIED:
            continue
        if name not in variables:
            problems.append(f"{file}: {place}: no variable {name!r}{nearest(name, variables)}")
            continue
        known = variables[name].categories
        asked = test if isinstance(test, list) else (test.none_of or []) if isinstance(test, Test) else [test]
        if known is not None:
            problems += [
                f"{file}: {place} > {name}: {category!r} is not one of its categories{nearest(category, known)}"
                for category in asked
                if category not in known
            ]
    return problems


def _missing_answers(file: str, names: Iterable[str], survey: Survey, variables: dict[str, Variable]) -> list[str]:
    problems = []
    for name in sorted(set(names) - SUPPLIED):
        if name not in variables:
            problems.append(f"{file}: no variable {name!r}{nearest(name, variables)}")
        elif name not in survey.variables:
            problems.append(
                f"{file}: needs {name!r}, but surveys/{survey.name}.yaml does not say how it answers it; add it there, "
                "or `unavailable: <why>`"
            )
        elif survey.variables[name].unavailable is not None:
            problems.append(
                f"{file}: needs {name!r}, which surveys/{survey.name}.yaml cannot supply "
                f"({survey.variables[name].unavailable}); leave that survey out of this analysis"
            )
    return problems


def _universe(file: str, tests: Iterable[dict[str, Any]], names: set[str], survey: Survey) -> list[str]:
    """The people an analysis speaks of must all have been asked what it uses."""
    limits: dict[str, Range] = {}
    for group in tests:
        for name, test in group.items():
            if isinstance(test, Test):
                limits[name] = Range(minimum=test.minimum, maximum=test.maximum)
    problems = []
    answered = {name for name in names if name in survey.variables}
    for name in sorted(survey.closure(answered)):
        for used, _, _ in survey.variables[name].uses():
            for asked, allowed in (survey.files[used].asked_of or {}).items():
                if not allowed.holds(limits.get(asked, Range())):
                    problems.append(
                        f"{file}: reaches outside the people who were asked: {name!r} comes from {used}, whose asked_of "
                        f"is {asked} {allowed}; limit {asked} to it"
                    )
    return problems


def _dated(survey: Survey, name: str) -> bool:
    found = [where for variable in survey.closure({name}) for _, _, where in survey.variables[variable].uses()]
    return any(isinstance(test, Test) and test.days_after for where in found for test in where.values())


def _trial(protocol: Protocol, survey: Survey, variables: dict[str, Variable]) -> list[str]:
    file = f"{folder() / 'protocols' / protocol.name}.yaml"
    problems = _missing_answers(file, [*protocol.table_one], survey, variables)
    if survey.kind != "panel":
        return [
            f"{file}: a trial needs follow-up, and surveys/{survey.name}.yaml is a cross-section: nobody is seen twice"
        ]
    for name, plan in variations(protocol, survey):
        problems += _plan(file, name, plan, survey, variables)
        supplied = plan.treatment.variable in survey.variables
        if protocol.emulates == "initiation" and supplied and not _dated(survey, plan.treatment.variable):
            problems.append(
                f"{file}: emulates initiation, but surveys/{survey.name}.yaml does not date "
                f"{plan.treatment.variable!r} (no days_after): it cannot tell starting from going on; use landmark"
            )
    for options, plan in specifications(protocol):
        problems += _plan(file, f"multiverse > {' x '.join(options.values())}", plan, survey, variables)
    for name, _, _, plan in controlled(protocol):
        problems += _plan(file, f"calibration > {name}", plan, survey, variables)
    problems += _subgroups(file, protocol, variables)
    if protocol.calibration is not None:
        problems += _calibration(file, protocol)
    problems += _through(file, protocol, survey, variables)
    problems += _sequence(file, protocol, survey, variables)
    problems += _by_round(file, protocol, survey, variables)
    if protocol.primary_estimator not in protocol.estimators:
        problems.append(f"{file}: primary_estimator {protocol.primary_estimator!r} is not among the estimators")
    return problems


def _subgroups(file: str, protocol: Protocol, variables: dict[str, Variable]) -> list[str]:
    problems = []
    for name, cuts in protocol.subgroups.items():
        place = f"{file}: subgroups > {name}"
        if name not in protocol.assignment.names:
            problems.append(
                f"{place}: is no confounder of the trial{nearest(name, protocol.assignment.names)}; subgroups are of what is "
                "known before treatment"
            )
        elif name in variables and (variables[name].kind == "number") != (cuts is not None):
            wanted = "cut points, such as [45, 65]" if variables[name].kind == "number" else "null: it is a category"
            problems.append(f"{place}: needs {wanted}")
        elif cuts is not None and (not cuts or sorted(set(cuts)) != list(cuts)):
            problems.append(f"{place}: cut points must ascend, each once")
    return problems


def _calibration(file: str, protocol: Protocol) -> list[str]:
    declared = protocol.calibration
    assert declared is not None
    problems = [
        f"{file}: calibration > replace: {box!r} is no box of the eligibility{nearest(box, protocol.eligibility)}"
        for box in declared.replace
        if box not in protocol.eligibility
    ]
    if "weighting" not in protocol.estimators:
        problems.append(
            f"{file}: calibration: controls are compared by weighting; name `weighting` among the estimators"
        )
    return problems


def _plan(file: str, name: str, plan: Plan, survey: Survey, variables: dict[str, Variable]) -> list[str]:
    place = f"{file}: variations > {name}" if name != "main" else file
    problems = _missing_answers(place, plan.variables(), survey, variables)
    for box, tests in plan.eligibility.items():
        problems += _tests(place, f"eligibility > {box}", tests, variables)
    for variable, codes in (
        (plan.treatment.variable, [*plan.treatment.treated, *plan.treatment.untreated]),
        (plan.outcome.variable, plan.outcome.event),
    ):
        problems += _tests(place, "categories of", {variable: codes}, variables)
    if survey.waves.panels is not None and not panels_of(plan, survey):
        problems.append(f"{place}: panels: none of the named panels is one of surveys/{survey.name}.yaml")
    problems += _variance(place, plan, survey)
    return problems + _universe(place, plan.eligibility.values(), plan.variables(), survey)


def _through(file: str, protocol: Protocol, survey: Survey, variables: dict[str, Variable]) -> list[str]:
    """Whether the survey can tell what treatment is declared to act through."""
    through = protocol.through
    if through is None:
        return []
    place = f"{file}: through"
    problems = _missing_answers(place, through.variables(), survey, variables)
    for box, tests in {"mediator": through.mediator, **through.at_risk}.items():
        problems += _tests(place, box, tests, variables)
    if through.outcome is not None:
        problems += _tests(place, "outcome", {through.outcome.variable: through.outcome.event}, variables)
    if protocol.assignment.missing != "complete-case":
        problems.append(f"{place}: goes with `missing: complete-case` in the declared analysis; leave one of them out")
    groups = [*protocol.eligibility.values(), through.mediator, *through.at_risk.values()]
    return problems + _universe(place, groups, through.variables(), survey)


def _sequence(file: str, protocol: Protocol, survey: Survey, variables: dict[str, Variable]) -> list[str]:
    """Whether trials can be begun anew as declared."""
    declared = protocol.sequence
    if declared is None:
        return []
    place = f"{file}: sequence"
    problems = _tests(place, "ongoing", {protocol.treatment.variable: declared.ongoing}, variables)
    problems += [
        f"{place} > fixed: {name!r} is no confounder of the trial{nearest(name, protocol.assignment.names)}"
        for name in declared.fixed
        if name not in protocol.assignment.names
    ]
    arms = {*protocol.treatment.treated, *protocol.treatment.untreated}
    problems += [
        f"{place} > ongoing: {name!r} is one of the arms already; name what is neither beginning nor doing without"
        for name in declared.ongoing
        if name in arms
    ]
    if survey.waves.panels is not None or len(survey.waves.values) < 3:
        problems.append(
            f"{place}: surveys/{survey.name}.yaml has fewer than three waves of everybody, so that no second trial could begin"
        )
    if protocol.assignment.missing != "complete-case":
        problems.append(f"{place}: goes with `missing: complete-case` in the declared analysis; leave one of them out")
    if protocol.variance.method == "given":
        problems.append(f"{place}: replicate weights that a survey gives are not used here; leave one of them out")
    return problems


def _by_round(file: str, protocol: Protocol, survey: Survey, variables: dict[str, Variable]) -> list[str]:
    """Whether the survey tells the round of the outcome, and the analysis is one that rounds can share."""
    declared = protocol.by_round
    if declared is None:
        return []
    place = f"{file}: by_round"
    problems = _missing_answers(place, [declared.variable], survey, variables)
    problems += _tests(place, "order", {declared.variable: declared.order}, variables)
    if protocol.primary_estimator == "logistic":
        problems.append(f"{place}: needs risks, which the primary estimator `logistic` does not give; name another")
    if protocol.assignment.missing == "imputed":
        problems.append(f"{place}: goes with complete cases in the declared analysis; leave `missing: imputed` out")
    if protocol.variance.method != "linearised":
        problems.append(f"{place}: goes with `method: linearised` in the declared analysis; leave one of them out")
    return problems


def _variance(place: str, plan: Plan, survey: Survey) -> list[str]:
    """Whether the survey tells enough of its design for the variance that a plan declares."""
    design, method = survey.design, plan.variance.method
    named = f"surveys/{survey.name}.yaml"
    problems = []
    if method == "given":
        answered = {name for name in plan.variables() if name in survey.variables}
        component = survey.rarest_weight(answered)
        if design.replicates is None or component not in design.replicates.columns:
            problems.append(
                f"{place}: variance: `method: given`, but {named} declares no replicate weights for the component "
                f"{component!r}; declare `design > replicates`, or `method: linearised`"
            )
    elif design.replicates is not None and design.strata is None and design.cluster is None:
        problems.append(
            f"{place}: variance: `method: {method}` needs strata and PSUs, and {named} has replicate weights alone; declare "
            "`method: given`"
        )
    imputation = plan.assignment.imputation
    if imputation is not None and design.cluster is None and imputation.design_effects == "psu":
        problems.append(
            f"{place}: imputation: `design_effects: psu` needs PSUs, which {named} has none of; declare `stratum` or `none`"
        )
    return problems


def _audit(audit: Audit, survey: Survey, variables: dict[str, Variable]) -> list[str]:
    """Whether a survey answers what an audit and each of its variations ask, of people who were asked."""
    path = f"{folder() / 'audits' / audit.name}.yaml"
    problems = []
    for name, plan in audit_variations(audit):
        file = path if name == "main" else f"{path}: variations > {name}"
        problems += _missing_answers(file, plan.variables(), survey, variables)
        for box, tests in plan.domain.items():
            problems += _tests(file, f"domain > {box}", tests, variables)
        kind = plan.analysis
        if isinstance(kind, Shares):
            for key, share in kind.shares.items():
                for tests in (share.of, share.among):
                    plain = {bare(variable): test for variable, test in tests.items()}
                    problems += _tests(file, f"shares > {key}", plain, variables)
                later = [variable for variable in (*share.of, *share.among) if variable.startswith("later.")]
                if later and survey.kind != "panel":
                    problems.append(f"{file}: shares > {key}: {later[0]}: surveys/{survey.name}.yaml sees nobody twice")
            continue
        if isinstance(kind, Onset):
            problems += _onset(file, kind, variables)
            problems += _universe(file, plan.domain.values(), plan.variables(), survey)
            continue
        problems += _tests(file, "outcome", {kind.outcome.variable: kind.outcome.event}, variables)
        if isinstance(kind, Roles):
            for role in (kind.first, kind.second):
                problems += _tests(file, f"present of {role.label}", role.present, variables)
        numbers = [kind.first.number, kind.second.number] if isinstance(kind, Roles) else [kind.amount]
        problems += [
            f"{file}: {number!r} is a category in variables.yaml; an amount is a number"
            for number in filter(None, numbers)
            if number in variables and variables[number].categories is not None
        ]
        problems += _universe(file, plan.domain.values(), plan.variables(), survey)
    return problems


def _onset(file: str, kind: Onset, variables: dict[str, Variable]) -> list[str]:
    """Whether every duration of the drug has its years, and ages are numbers."""
    problems = _tests(file, "had", kind.had, variables)
    problems += [
        f"{file}: {name!r} is a category in variables.yaml; an age is a number"
        for name in (kind.onset, kind.age)
        if name in variables and variables[name].categories is not None
    ]
    known = list(variables[kind.drug].categories or ()) if kind.drug in variables else []
    strays = [category for category in kind.began if category not in known]
    problems += [f"{file}: began: {kind.drug} has no category {stray!r}{nearest(stray, known)}" for stray in strays]
    if None not in kind.began.values():
        problems.append(f"{file}: began: no category is null, those who do not take the drug")
    return problems


def _association(association: Association, survey: Survey, variables: dict[str, Variable]) -> list[str]:
    file = f"{folder() / 'associations' / association.name}.yaml"
    problems = _missing_answers(file, association.variables(), survey, variables)
    for box, tests in association.domain.items():
        problems += _tests(file, f"domain > {box}", tests, variables)
    problems += _tests(file, "outcome", {association.outcome.variable: association.outcome.event}, variables)
    problems += _tests(file, "reference", {association.exposure: [association.reference]}, variables)
    return problems + _universe(file, association.domain.values(), association.variables(), survey)
