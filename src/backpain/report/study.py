"""The page of a simulation study."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from backpain.figures import study as figures
from backpain.figures.style import svg
from backpain.report.drawing import drawer
from backpain.report.page import build, style
from backpain.spec import Study
from backpain.tables import studies

MAIN = "risk-difference"


def render_study(study: Study, table: pd.DataFrame, verdict: pd.DataFrame, commit: str, templates: Path | str) -> str:
    """The whole page as HTML text; the same input gives the same bytes.

    Parameters
    ----------
    table, verdict
        What `backpain.study.performance` and `verdict` returned.
    templates
        The folder with study.html.j2 and style.css.
    """
    folder = Path(templates)
    main = table[table["scale"] == MAIN]
    linearised, again = (main[main["variance"] == variance] for variance in ("linearised", "refitted"))
    drawn = {"bias": svg(figures.bias(linearised)), "coverage": svg(figures.coverage(linearised))}
    drawn |= {"refitted": svg(figures.coverage(again))} if len(again) else {}
    page = (
        build(folder)
        .get_template("study.html.j2")
        .render(
            study=study,
            scenarios={name: study.scenario(name) for name in study.scenarios},
            style=style(folder),
            commit=commit,
            drawing=drawer(drawn),
            refitted=len(again),
            studies=studies,
            table=table,
            verdict=verdict,
            failed=int(table["failed"].sum()),
            passed=bool(verdict["passed"].all()),
        )
    )
    return page + "\n"
