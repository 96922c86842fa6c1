"""Expands a trial into its variations: the declared ones, and the series over panels."""

from __future__ import annotations

from itertools import product
from typing import Any, Literal, NamedTuple

from backpain.spec.analysis import Panels, Plan, Protocol
from backpain.spec.doubt import Control
from backpain.spec.load import load_controls, plan_of, plan_with
from backpain.spec.survey import Survey, Test


class Variation(NamedTuple):
    """One variation: its name in the tables and its whole plan."""

    name: str
    plan: Plan


def panels_of(plan: Plan, survey: Survey) -> list[int]:
    """The panels of the survey that take part in the plan, in order; none for a survey without panels."""
    declared = sorted(survey.waves.panels or {})
    chosen = plan.panels.only if plan.panels.only is not None else declared
    left_out = plan.panels.leave_out or []
    return [panel for panel in declared if panel in chosen and panel not in left_out]


def specifications(protocol: Protocol) -> list[tuple[dict[str, str], Plan]]:
    """Every combination of the options of a multiverse, as choice to option, with its whole plan; the declared one first."""
    if protocol.multiverse is None:
        return []
    choices = protocol.multiverse.choices
    found = []
    for options in product(*choices.values()):
        named = dict(zip(choices, options, strict=True))
        overrides = [choices[choice][option] for choice, option in named.items()]
        found.append((named, plan_with(protocol, overrides, f"multiverse > {' x '.join(options)}")))
    return found


class Controlled(NamedTuple):
    """The trial with another outcome: a negative control, or one to compare with."""

    name: str
    role: Literal["control", "comparison"]
    control: Control
    plan: Plan


def controlled(protocol: Protocol) -> list[Controlled]:
    """The trial on each outcome of its list of controls, among those who are free of it; nothing without a list."""
    declared = protocol.calibration
    if declared is None:
        return []
    listed = load_controls(declared.controls)
    found = []
    for name, control in listed.all.items():
        only = {f"can have {control.label.lower()}": control.only} if control.only else {}
        over = {
            "eligibility": {
                **dict.fromkeys(declared.replace),
                **{box: _plain(tests) for box, tests in only.items()},
                f"free of {control.label.lower()}": {name: ["absent"]},
            },
            "outcome": {"variable": name, "event": ["present"], "label": control.label},
        }
        role: Literal["control", "comparison"] = "control" if name in listed.controls else "comparison"
        found.append(Controlled(name, role, control, plan_with(protocol, [over], f"calibration > {name}")))
    return found


def _plain(tests: dict[str, Any]) -> dict[str, Any]:
    return {
        name: test.model_dump(exclude_none=True) if isinstance(test, Test) else test for name, test in tests.items()
    }


def variations(protocol: Protocol, survey: Survey) -> list[Variation]:
    """The main analysis first, then the declared variations, then each panel left out and each panel alone."""
    main = plan_of(protocol, "main")
    found = [Variation("main", main)]
    found += [Variation(name, plan_of(protocol, name)) for name in protocol.variations]
    panels = panels_of(main, survey)
    for panel in panels if protocol.series.leave_one_panel_out and len(panels) > 2 else []:
        rest = Panels(only=[other for other in panels if other != panel])
        found.append(Variation(f"without-panel-{panel}", main.model_copy(update={"panels": rest})))
    for panel in panels if protocol.series.single_panels and len(panels) > 1 else []:
        only = {"panels": Panels(only=[panel]), "description_only": True}
        found.append(Variation(f"only-panel-{panel}", main.model_copy(update=only)))
    return found
