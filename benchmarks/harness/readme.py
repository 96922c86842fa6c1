"""The table of README.md: what a run printed, line by line; lines of jobs and sizes that it left out stay."""

from __future__ import annotations

from pathlib import Path

from harness import plan, table
from harness.table import Measured

HEAD = ["job", "people", "ours", "`svy`", "statsmodels", "R", "warm calls", "load"]
BEGIN, END = "<!-- what speed.py printed -->", "<!-- end of what speed.py printed -->"
# From so many people on memory is told too.
LARGE = 1_000_000


def update(file: Path, found: list[Measured]) -> None:
    """Write a line for each job and size measured between the file's two marks."""
    text = file.read_text(encoding="utf-8")
    before, rest = text.split(BEGIN)
    old, after = rest.split(END)
    lines = {key(cells): cells for cells in cells_of(old)} | {key(cells): cells for cells in rows(found)}
    body = [lines[each] for each in sorted(lines)]
    file.write_text(f"{before}{BEGIN}\n{table.markdown(HEAD, body)}\n{END}{after}", encoding="utf-8")


def cells_of(markdown: str) -> list[list[str]]:
    """The cells of each line of a table below its head."""
    lines = [line.strip("| ") for line in markdown.strip().splitlines()[2:]]
    return [[cell.strip() for cell in line.split(" | ")] for line in lines]


def key(cells: list[str]) -> tuple[int, int]:
    """Where a line stands: jobs as in the plan, the smallest size first."""
    return list(plan.JOBS).index(cells[0]), int(cells[1].replace(",", ""))


def rows(found: list[Measured]) -> list[list[str]]:
    """A line for each job and size that we were timed at."""
    lines = []
    for ours in found:
        if ours.peer != plan.OURS or not ours.first:
            continue
        framed, *others = [
            table.one(found, ours.job, ours.people, peer) for peer in (plan.FRAMED, "svy", "statsmodels", "R")
        ]
        own = seconds(ours) + (f" ({seconds(framed)} from a frame)" if framed is not None and framed.first else "")
        cells = [ours.job, f"{ours.people:,}", own, *(cell(each, ours) for each in others)]
        lines.append([*cells, f"{len(ours.warm)}{fewer(others, ours)}", f"{ours.load:.1f}"])
    return lines


def cell(peer: Measured | None, ours: Measured) -> str:
    if peer is None or not peer.first:
        return "-"
    disagrees = ", DISAGREES" if peer.agrees is False else ""
    ratio = f"{peer.median / ours.median:.3g} times"
    return f"{seconds(peer)} ({'; '.join(filter(None, [ratio, table.spread(peer, ours)]))}){disagrees}"


def fewer(others: list[Measured | None], ours: Measured) -> str:
    """Who made fewer calls than we."""
    few = [each for each in others if each is not None and each.first and len(each.warm) < len(ours.warm)]
    return "".join(f", {each.peer} {len(each.warm)}" for each in few)


def seconds(row: Measured) -> str:
    """The median with its unit, and for large samples the memory above what was held before."""
    time = f"{table.short(row.median)} s" if row.median >= 0.1 else f"{table.short(row.median * 1000)} ms"
    return time + (f", {row.used:,.0f} MB" if row.people >= LARGE and row.used is not None else "")
