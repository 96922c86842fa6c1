"""Finds, reads and validates declarations. The folder is `config/` unless told otherwise."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from backpain.spec.analysis import Association, Claims, Plan, Protocol, Run, Variable
from backpain.spec.audit import Audit
from backpain.spec.base import Closed, validate
from backpain.spec.doubt import Controls
from backpain.spec.study import Study
from backpain.spec.survey import File, Mapping, Period, Pool, Published, Survey
from backpain.spec.yaml import DeclarationError, merge, nearest, read_yaml


def folder() -> Path:
    """The folder of declarations: BACKPAIN_CONFIG, or `config` in the working directory."""
    return Path(os.environ.get("BACKPAIN_CONFIG", "config"))


def _template(value: Any, fields: dict[str, Any]) -> Any:
    """Fill `<field>` in every text of a shared declaration with the cycle's own words."""
    if isinstance(value, str):
        for name, word in fields.items():
            value = value.replace(f"<{name}>", str(word))
        return value
    if isinstance(value, dict):
        return {_template(k, fields): _template(v, fields) for k, v in value.items()}
    if isinstance(value, list):
        return [_template(item, fields) for item in value]
    return value


def survey_data(name: str) -> dict[Any, Any]:
    """The plain data of a survey's declaration with its family's shared part laid beneath it."""
    data = read_yaml(folder() / "surveys" / f"{name}.yaml")
    fields = data.pop("fields", {}) or {}
    shared: dict[Any, Any] = {}
    # The farthest first: what a nearer declaration removes by null is gone.
    for family in reversed(families_of(name)):
        shared = merge(shared, _template(read_yaml(_shared(family)), fields))
    whole = merge(shared, data)
    whole.pop("like", None)
    return {"name": name, **_with_controls(whole)}


def _with_controls(data: dict[Any, Any]) -> dict[Any, Any]:
    """The data with an answer for each negative control of the list that the survey's rows are searched for."""
    named = data.get("controls")
    if not isinstance(named, dict) or set(named) != {"list", "file", "column"}:
        return data
    codes, answers = {}, {}
    for name, control in load_controls(named["list"]).all.items():
        if control.codes is not None:
            codes[name] = control.codes
            answers[name] = {"any": named["file"], "where": {named["column"]: name}}
    return merge({"codes": codes, "variables": answers}, data)


def load_controls(name: str) -> Controls:
    """Load one list of negative controls."""
    path = folder() / "controls" / f"{name}.yaml"
    return validate(Controls, read_yaml(path), path)


def families_of(name: str) -> list[str]:
    """The shared declarations that a survey lies over, the nearest first; none for a survey of its own."""
    found: list[str] = []
    path = folder() / "surveys" / f"{name}.yaml"
    while (family := read_yaml(path).get("like")) is not None:
        if family in found:
            raise DeclarationError([f"{path}: like: {' -> '.join([*found, family])} goes round in a circle"])
        found.append(family)
        path = _shared(family)
    return found


def _shared(family: str) -> Path:
    return folder() / "surveys" / "shared" / f"{family}.yaml"


def load_survey(name: str) -> Survey:
    """Load one survey and check that it is whole in itself.

    Raises
    ------
    DeclarationError
        Naming the file, the key, the nearest known name and the remedy.
    """
    path = folder() / "surveys" / f"{name}.yaml"
    data = survey_data(name)
    survey = pooled(data, path) if "pool" in data else validate(Survey, data, path)
    problems = [f"{path}: {problem}" for problem in _survey_problems(survey)]
    if problems:
        raise DeclarationError(problems)
    return survey


class Pooling(Closed):
    """The declaration of a survey that pools others: everything else is its members'."""

    name: str
    title: str
    pool: Pool
    published: list[Published] = Field(default_factory=list)
    assumptions: list[str] = Field(default_factory=list)


def pooled(data: dict[Any, Any], path: Path) -> Survey:
    """A survey that pools others, as one survey: what they share, and which variables one of them lacks.

    Raises
    ------
    DeclarationError
        If members are named twice, overlap in time, do not say when they were, are followed over waves or are pools
        themselves, or weigh or ask differently.
    """
    declared = validate(Pooling, data, path)
    members = [load_survey(name) for name in declared.pool.of]
    problems = [f"{path}: pool > of: {problem}" for problem in _pool_problems(members)]
    problems += [
        f"{path}: published > {figure.quantity}: a pool has people and no files; give `people:` or `share:`"
        for figure in declared.published
        if figure.people is None and figure.share is None and figure.not_computable is None
    ]
    if problems:
        raise DeclarationError(problems)
    first = members[0]
    names = {name: None for member in members for name in member.variables}
    periods = [member.period for member in members if member.period is not None]
    return first.model_copy(
        update={
            "name": declared.name,
            "title": declared.title,
            "source": "; ".join(dict.fromkeys(member.source for member in members)),
            "pool": declared.pool,
            # Replicates of surveys drawn apart do not go together, and joint weights have been put in place.
            "design": first.design.model_copy(update={"replicates": None, "jointly": None}),
            "period": Period.model_validate(
                {
                    "from": min(period.from_ for period in periods),
                    "to": max(period.to for period in periods),
                    "years": sum(period.length for period in periods),
                }
            ),
            "variables": {name: _shared_mapping(name, members) for name in names},
            "published": declared.published,
            "assumptions": declared.assumptions,
        }
    )


def _pool_problems(members: list[Survey]) -> list[str]:
    problems = []
    names = [member.name for member in members]
    for place, member in enumerate(members):
        if member.pool is not None:
            problems.append(f"{member.name} pools others itself; name its members")
        if member.kind != "cross-section":
            problems.append(f"{member.name} is followed over waves; its own declaration pools its panels")
        if member.period is None:
            problems.append(f"{member.name} does not say when it was; declare its `period: {{from: ..., to: ...}}`")
        if list(member.design.weights) != list(members[0].design.weights):
            problems.append(f"{member.name} has other weight components than {members[0].name}")
        if member.design.of_places != members[0].design.of_places:
            problems.append(
                f"{member.name} was sampled in another way than {members[0].name}: other strata, PSUs, stages"
            )
        joint = member.design.jointly
        if joint is not None and not member.pooled_jointly(names) and joint.always:
            problems.append(
                f"{member.name} can be pooled only together with {', '.join(joint.with_)}: alone its weights are not "
                "comparable with those of other years"
            )
        for other in members[:place]:
            if other.name == member.name:
                problems.append(f"{member.name} stands there twice; its people would count twice")
            elif member.period and other.period and member.period.overlaps(other.period):
                problems.append(
                    f"{other.name} and {member.name} overlap in time, so people would count twice; leave one of them out"
                )
    return problems


def _shared_mapping(name: str, members: list[Survey]) -> Mapping:
    """The first member's answer; or why the pool has none."""
    for member in members:
        answer = member.variables.get(name)
        lacking = "not declared" if answer is None else answer.unavailable
        if lacking is not None:
            return Mapping(unavailable=f"{member.name}: {lacking}")
        if member.components({name}) != members[0].components({name}):
            return Mapping(unavailable=f"{member.name} takes it from a file of another weight component")
    return members[0].variables[name]


def load_variables() -> dict[str, Variable]:
    """Load every variable an analysis may use: those of `variables.yaml`, and negative controls under their own labels."""
    path = folder() / "variables.yaml"

    class Variables(Closed):
        variables: dict[str, Variable]

    declared = validate(Variables, {"variables": read_yaml(path)}, path).variables
    listed = {
        name: Variable(label=control.label, categories={"absent": "No", "present": "Yes"})
        for controls in sorted((folder() / "controls").glob("*.yaml"))
        for name, control in load_controls(controls.stem).all.items()
    }
    return {**listed, **declared}


def load_protocol(name: str) -> Protocol:
    """Load one target trial; every variation is checked again after it is laid over the trial."""
    path = folder() / "protocols" / f"{name}.yaml"
    protocol = validate(Protocol, {"name": name, **read_yaml(path)}, path)
    for variation in protocol.variations:
        plan_of(protocol, variation)
    return protocol


def plan_of(protocol: Protocol, variation: str) -> Plan:
    """The plan of one variation: the protocol with what the variation overrides."""
    over = {} if variation == "main" else protocol.variations[variation]
    return plan_with(protocol, [over], f"variations > {variation}")


def plan_with(protocol: Protocol, overrides: Sequence[dict[str, Any]], where: str) -> Plan:
    """The plan of the protocol with what each of the overrides changes, one after another."""
    fields = protocol.model_dump(by_alias=True, include=set(Plan.model_fields), exclude_none=True)
    for over in overrides:
        fields = merge(fields, over)
    return validate(Plan, fields, f"{folder() / 'protocols' / protocol.name}.yaml: {where}")


def imputing_jobs(name: str) -> int:
    """How many jobs share the imputations of a trial's variations; 0 if none of them imputes."""
    protocol = load_protocol(name)
    plans = [plan_of(protocol, variation) for variation in ("main", *protocol.variations)]
    return max((plan.assignment.imputation.jobs for plan in plans if plan.assignment.imputation), default=0)


def workers_of(name: str) -> int:
    """How many threads the estimation of a trial's variations uses at most."""
    protocol = load_protocol(name)
    return max(plan_of(protocol, variation).variance.workers for variation in ("main", *protocol.variations))


def declares(name: str, block: Literal["by_round", "calibration", "sequence", "through"]) -> bool:
    """Whether a trial declares a block that it may leave out."""
    return getattr(load_protocol(name), block) is not None


def multiverse_jobs(name: str) -> int:
    """How many jobs share the specifications of a trial's multiverse; 0 if it declares none."""
    multiverse = load_protocol(name).multiverse
    return 0 if multiverse is None else multiverse.jobs


def load_association(name: str) -> Association:
    """Load one cross-sectional association."""
    path = folder() / "associations" / f"{name}.yaml"
    return validate(Association, {"name": name, **read_yaml(path)}, path)


def load_audit(name: str) -> Audit:
    """Load one cross-sectional analysis of a claim."""
    path = folder() / "audits" / f"{name}.yaml"
    return validate(Audit, {"name": name, **read_yaml(path)}, path)


def audit_variations(audit: Audit) -> list[tuple[str, Audit]]:
    """The audit itself as `main`, and each variation: the audit with what the variation overrides."""
    found = [("main", audit)]
    fields = audit.model_dump(by_alias=True, exclude={"variations"}, exclude_none=True)
    for name, over in audit.variations.items():
        where = f"{folder() / 'audits' / audit.name}.yaml: variations > {name}"
        found.append((name, validate(Audit, merge(fields, over), where)))
    return found


def load_run(name: str) -> Run:
    """Load one run."""
    path = folder() / f"{name}.yaml"
    return validate(Run, {"run": name, **read_yaml(path)}, path)


def load_study(name: str) -> Study:
    """Load one simulation study; one that is `like` another changes what it names, and its scenarios are its own."""
    path = folder() / "studies" / f"{name}.yaml"
    data = read_yaml(path)
    if (other := data.pop("like", None)) is not None:
        data = {**read_yaml(folder() / "studies" / f"{other}.yaml"), **data}
    return validate(Study, {"name": name, **data}, path)


def load_claims() -> Claims:
    """Load the rules of the verdicts."""
    path = folder() / "claims.yaml"
    return validate(Claims, read_yaml(path), path)


def _survey_problems(survey: Survey) -> list[str]:
    problems: list[str] = []
    if survey.base not in survey.files:
        problems.append(f"base: there is no file {survey.base!r}{nearest(survey.base, survey.files)}")
    elif (base := survey.files[survey.base]).columns and base.lookup is None:
        problems += [
            f"design: {survey.base} declares no column {column!r}{nearest(column, base.columns)}"
            for column in survey.design.columns
            if column not in base.columns
        ]
    for name, columns in survey.design.borrowed.items():
        if name not in survey.files or name == survey.base:
            others = [file for file in survey.files if file != survey.base]
            problems.append(f"design > weights: {name!r} is no file besides the base file{nearest(name, others)}")
        elif not (survey.files[name].rows.one and survey.files[name].key is None):
            problems.append(f"design > weights: {name} must have one row for a person, under the base file's key")
        elif overlap := sorted({*columns} & {*survey.files[survey.base].columns}):
            problems.append(f"design > weights: {survey.base} has a column {overlap[0]} of its own")
    for name, file in survey.files.items():
        problems += _file_problems(survey, name, file)
    for name, mapping in survey.variables.items():
        problems += [f"variables > {name}: {problem}" for problem in _mapping_problems(survey, mapping)]
    problems += _cycles(survey)
    for check in survey.checks:
        if check.file not in survey.files:
            problems.append(
                f"checks > {check.rule}: there is no file {check.file!r}{nearest(check.file, survey.files)}"
            )
    for link in survey.links:
        for end in (link.add, link.to):
            if end is not None and end not in survey.files:
                problems.append(f"links: there is no file {end!r}{nearest(end, survey.files)}")
    for figure in survey.published:
        for name in [*(figure.people or {}), *(figure.share or {}), *figure.among]:
            bare = name.removeprefix("first.").removeprefix("later.")
            if figure.total is None and bare not in {*survey.variables, "wave", "panel", "seen_by"}:
                problems.append(f"published > {figure.quantity}: no variable {bare!r}{nearest(bare, survey.variables)}")
    return problems


def _file_problems(survey: Survey, name: str, file: File) -> list[str]:
    problems = []
    if file.component is not None and file.component not in survey.design.weights:
        problems.append(
            f"files > {name} > component: {file.component!r}{nearest(file.component, survey.design.weights)}"
        )
    for component, columns in file.components.items():
        if component not in survey.design.weights:
            problems.append(f"files > {name} > components: {component!r}{nearest(component, survey.design.weights)}")
        strays = [column for column in columns if file.columns and column not in file.columns]
        problems += [
            f"files > {name} > components: no column {column!r}{nearest(column, file.columns)}" for column in strays
        ]
    if file.lookup is not None and file.lookup.file not in survey.lookups:
        problems.append(f"files > {name} > lookup: {file.lookup.file!r}{nearest(file.lookup.file, survey.lookups)}")
    for column, sources in file.columns.items():
        for wave in file.waves or survey.waves.values:
            fitting = [source for source in sources if source.covers(wave)]
            if len(fitting) != 1:
                problem = "no source" if not fitting else "more than one source (since/until overlap)"
                problems.append(f"files > {name} > columns > {column}: {problem} for the wave {wave}")
    for asked in file.asked_of or {}:
        if asked not in survey.variables:
            problems.append(f"files > {name} > asked_of: no variable {asked!r}{nearest(asked, survey.variables)}")
    return problems


def _mapping_problems(survey: Survey, mapping: Mapping) -> list[str]:
    problems = []
    try:
        uses = mapping.uses()
    except ValueError as error:
        return [str(error)]
    for file, columns, where in uses:
        if file not in survey.files:
            problems.append(f"there is no file {file!r}{nearest(file, survey.files)}")
            continue
        declared = survey.files[file].columns
        if survey.files[file].columns and survey.files[file].lookup is None:
            known = {*declared, *_linked_columns(survey, file)}
            problems += [f"{file} declares no column {c!r}{nearest(c, known)}" for c in columns if c not in known]
        problems += _code_problems(survey, where)
        problems += _universe_problems(survey, mapping, file)
    for name in mapping.needs():
        if name not in survey.variables:
            problems.append(f"no variable {name!r} to build on{nearest(name, survey.variables)}")
    return list(dict.fromkeys(problems))


def _linked_columns(survey: Survey, file: str) -> set[str]:
    design = {*survey.design.columns, *survey.person}
    return design if file == survey.base else set()


def _code_problems(survey: Survey, where: dict[str, Any]) -> list[str]:
    """A word that is tested against a coded column has to be a declared code list."""
    coded = {column for systems in survey.codes.values() for column in systems}
    problems = []
    for column, test in where.items():
        sources = {s.from_ for f in survey.files.values() for s in f.columns.get(column, [])}
        if not (sources & coded or column in coded):
            continue
        names = test if isinstance(test, list) else getattr(test, "none_of", None) or [test]
        problems += [
            f"{column}: no code list {name!r}{nearest(name, survey.codes)}"
            for name in names
            if isinstance(name, str) and name not in survey.codes
        ]
    return problems


def _universe_problems(survey: Survey, mapping: Mapping, name: str) -> list[str]:
    """Who was asked decides what a blank means; a definition that ignores it is refused here."""
    file = survey.files[name]
    if mapping.kind in ("from", "derive") and mapping.blank is not None:
        if file.asked_of is None and mapping.blank != "missing":
            return [
                f"counts a blank in {name} as {mapping.blank!r} without saying who was asked: outside the asked ages a "
                f"blank is not an answer; declare `asked_of` on the file {name}"
            ]
        if file.asked_of is not None and mapping.blank == "missing" and mapping.because is None:
            return [
                f"drops a blank in {name} as missing although {name} declares asked_of {_asked(file)}: inside it a "
                "blank follows from a skip and is an answer; write what it means (blank: absent), or blank: never, or say "
                "`because:` why nobody skips the question"
            ]
    if mapping.kind == "from" and mapping.blank is None and file.asked_of is not None:
        return [
            f"reads {name}, which declares asked_of {_asked(file)}, without saying what a blank means inside it: "
            "dropping it as missing loses people who were asked; write blank: <category>, or blank: never"
        ]
    if (
        file.rows.one == "person"
        and name != survey.base
        and file.asked_of is None
        and _counts_blank_as_no(mapping, name)
    ):
        return [
            f"`any: {name}` counts a blank as no without saying who was asked; declare `asked_of` on the file {name}"
        ]
    if file.rows.many is not None and file.none_means is None and _counts_blank_as_no(mapping, name):
        return [f"`{name}` has several rows for a person; say what having none means: none_means: absent or missing"]
    return []


def _counts_blank_as_no(mapping: Mapping, file: str) -> bool:
    return mapping.count == file or any(part.any == file for part in mapping.conditions())


def _asked(file: File) -> str:
    return ", ".join(f"{name} {limits}" for name, limits in (file.asked_of or {}).items())


def _cycles(survey: Survey) -> list[str]:
    done: set[str] = set()

    def visit(name: str, path: tuple[str, ...]) -> list[str]:
        if name in path:
            return [f"variables: {' -> '.join((*path, name))} goes round in a circle"]
        if name in done or name not in survey.variables:
            return []
        done.add(name)
        return [p for need in survey.variables[name].needs() for p in visit(need, (*path, name))]

    return [problem for name in survey.variables for problem in visit(name, ())]
