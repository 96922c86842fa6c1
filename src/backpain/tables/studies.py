"""A simulation study, as tables."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd
from markupsafe import Markup

from backpain.tables import numbers
from backpain.tables.html import Column, plain, table
from backpain.tables.numbers import sentence, words


def scenarios(changes: Mapping[str, Mapping[str, Any]]) -> Markup:
    """What each scenario changes. changes: by scenario, as declared."""
    lines = [
        {
            "scenario": sentence(name),
            "told": ", ".join(f"{words(key.replace('_', ' '))} {value:g}" for key, value in changed.items())
            or "nothing",
        }
        for name, changed in changes.items()
    ]
    return table(
        pd.DataFrame(lines),
        [Column("scenario", "Scenario", plain, False, "14rem"), Column("told", "Changes", plain)],
        identity="scenarios",
        caption="Scenarios, and what each changes in the first. Effects are log-odds.",
    )


def verdicts(frame: pd.DataFrame) -> Markup:
    """What all cells say together. frame: rows of verdict.csv."""
    lines = frame.assign(told=["passed" if passed else "not passed" for passed in frame["passed"]])
    columns = [
        Column("what", "What", sentence, False, "14rem"),
        Column("cells", "Cells", numbers.count, True),
        Column("largest", "Largest |z|", numbers.ratio, True),
        Column("band", "Simultaneous 99% band", numbers.ratio, True),
        Column("worst", "Where", plain, False, "16rem"),
        Column("told", "Verdict", plain),
    ]
    return table(
        lines,
        columns,
        identity="verdict",
        caption="All cells that something is asked of. A bias outside the band passes below 5% of the empirical standard error; "
        "coverage passes above what was promised.",
    )


def cells(frame: pd.DataFrame) -> Markup:
    """Every cell. frame: rows of performance.csv."""
    lines = frame.assign(
        heading=[sentence(name) for name in frame["scenario"]],
        told=[f"{row['bias']:+.4f} ({row['bias_mc_se']:.4f})" for row in frame.to_dict("records")],
        errors=[f"{row['empirical_se']:.4f} / {row['model_se']:.4f}" for row in frame.to_dict("records")],
        held=[f"{100 * row['coverage']:.1f} ({100 * row['coverage_mc_se']:.1f})" for row in frame.to_dict("records")],
        power=[f"{100 * row['rejects']:.1f} ({100 * row['rejects_mc_se']:.1f})" for row in frame.to_dict("records")],
    )
    columns = [
        Column("estimator", "Estimator", lambda name: sentence(words(name)), False, "11rem"),
        Column("variance", "Variance", plain),
        Column("scale", "Scale", words),
        Column("truth", "Truth", lambda value: numbers.decimal(value, 4), True),
        Column("told", "Bias (MC error)", plain, True),
        Column("errors", "SE, empirical / model", plain, True),
        Column("held", "Coverage, % (MC error)", plain, True),
        Column("power", "Rejects no effect, % (MC error)", plain, True),
        Column("failed", "Failed", lambda value: f"{value:,}", True),
        Column("role", "Models", plain),
        Column("verdict", "Verdict", plain),
    ]
    return table(
        lines,
        columns,
        identity="cells",
        group="heading",
        caption="Every scenario, estimator and scale. Bias and errors of ratios are on the log scale; MC error is the Monte Carlo "
        "standard error.",
    )
