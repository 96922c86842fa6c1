"""What was measured, as tables."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from harness import plan
from harness.processes import Call

# More of the processor than this, for each second by the clock, is more than one thread.
THREADS = 1.25


@dataclass
class Measured:
    """A package's calls of a job at a size, or why there are none."""

    people: int
    job: str
    peer: str
    how: str = ""
    missing: str = ""
    failed: bool = False
    loaded: float | None = None
    versions: dict[str, str] = field(default_factory=dict)
    first: Call | None = None
    warm: list[Call] = field(default_factory=list)
    load: float = float("nan")
    agrees: bool | None = None
    agreement: str = ""

    @property
    def seconds(self) -> np.ndarray:
        """Of the warm calls; of the first where there are none."""
        calls = self.warm or ([self.first] if self.first else [])
        return np.array([call.seconds for call in calls])

    @property
    def median(self) -> float:
        return float(np.median(self.seconds)) if self.first else float("nan")

    @property
    def peak(self) -> float | None:
        """Peak memory in MB of any call."""
        peaks = [call.peak for call in [self.first, *self.warm] if call is not None and call.peak is not None]
        return max(peaks, default=None)

    @property
    def used(self) -> float | None:
        """MB at the peak above what it held once its data were loaded."""
        return None if self.peak is None or self.loaded is None else self.peak - self.loaded

    @property
    def threads(self) -> float:
        """Seconds of the processor for each second by the clock, over all calls."""
        calls = [call for call in [self.first, *self.warm] if call is not None]
        return sum(call.cpu for call in calls) / sum(call.seconds for call in calls)


def written(found: list[Measured], title: str) -> str:
    """All tables as markdown."""
    done = [each for each in found if each.first]
    parts = [f"# Benchmark\n\n{title}"]
    for people in dict.fromkeys(each.people for each in found):
        for job in dict.fromkeys(each.job for each in found if each.people == people):
            rows = [each for each in done if (each.people, each.job) == (people, job)]
            if rows:
                parts.append(f"## {plan.JOBS[job]}, n = {people:,}\n\n{timings(rows)}")
    parts.append(f"## Targets\n\n{targets(found)}")
    parts.append(f"## Not slower than any peer\n\n{slower(done)}")
    parts.append(f"## Not run, and why\n\n{left_out(found)}")
    parts.append(f"## Versions\n\n{versions(done)}")
    return "\n\n".join(parts) + "\n"


def timings(rows: list[Measured]) -> str:
    """The packages beside one another in one job at one size."""
    head = [
        "package", "how", "first call, s", "median, s", "quartiles", "least-most", "calls", "times ours", "round by round",
        "MB above loaded", "MB at peak", "differs from ours by",
    ]  # fmt: skip
    ours = next((row for row in rows if row.peer == plan.OURS), None)
    body = []
    for row in rows:
        seconds, first = row.seconds, row.first
        assert first is not None
        calls = str(len(row.warm)) if row.warm else "first only"
        ratio = f"{row.median / ours.median:.2f}" if ours else "-"
        threads = f" (used {row.threads:.1f} threads)" if row.threads > THREADS else ""
        low, high = np.quantile(seconds, [0.25, 0.75])
        body.append(
            [
                row.peer, row.how + threads, short(first.seconds), short(row.median), f"{short(low)}-{short(high)}",
                f"{short(seconds.min())}-{short(seconds.max())}", calls, ratio,
                spread(row, ours) or "-", whole(row.used), whole(row.peak),
                row.agreement if row.agrees is not False else f"DISAGREES: {row.agreement}",
            ]
        )  # fmt: skip
    return markdown(head, body)


def spread(row: Measured, ours: Measured | None) -> str:
    """Quartiles of the ratios to ours round by round, which were in turn and so under about the same load."""
    rounds = [] if ours is None or row is ours else list(zip(row.warm, ours.warm, strict=False))
    if len(rounds) < 2:
        return ""
    low, high = np.quantile([theirs.seconds / own.seconds for theirs, own in rounds], [0.25, 0.75])
    return f"{low:.3g}-{high:.3g}"


def targets(found: list[Measured]) -> str:
    """What is promised, what was reached."""
    body = []
    for job, people, peer, times in plan.TARGETS:
        ours, theirs = one(found, job, people, plan.OURS), one(found, job, people, peer)
        if ours is None or theirs is None:
            reached, verdict = "-", "not measured: not asked for"
        elif not ours.first or not theirs.first:
            reached, verdict = "-", f"not measured: {ours.missing or theirs.missing}"
        else:
            ratio = theirs.median / ours.median
            reached, verdict = f"{ratio:.2f}", "met" if ratio >= times else "MISSED"
        body.append([job, f"{people:,}", peer, f"{times:g} times", reached, verdict])
    job, people, peer = plan.LEAN
    ours, theirs = one(found, job, people, plan.OURS), one(found, job, people, peer)
    if ours is not None and theirs is not None and ours.used is not None and theirs.used is not None:
        verdict = "met" if ours.used <= theirs.used else "MISSED"
        body.append([job, f"{people:,}", peer, "no more memory", f"{ours.used:.0f} to {theirs.used:.0f} MB", verdict])
    return markdown(["job", "n", "against", "promised", "reached", "verdict"], body)


def slower(done: list[Measured]) -> str:
    """Where a peer was faster than ours."""
    body = []
    for each in done:
        ours = one(done, each.job, each.people, plan.OURS)
        if ours is not None and ours.median > each.median:
            body.append([each.job, f"{each.people:,}", each.peer, f"{each.median / ours.median:.2f}"])
    return markdown(["job", "n", "faster", "times ours"], body) if body else "No peer was faster in what was measured."


def left_out(found: list[Measured]) -> str:
    """Whom the tables above lack, and who made fewer calls."""
    body = [[each.job, f"{each.people:,}", each.peer, each.missing] for each in found if not each.first]
    most = max((len(each.warm) for each in found), default=0)
    for each in found:
        if each.first and len(each.warm) < most:
            count = f"{len(each.warm)} of {most} warm calls: a call takes {short(each.median)} s"
            body.append([each.job, f"{each.people:,}", each.peer, count])
    return markdown(["job", "n", "package", "why"], body) if body else "Everyone did everything."


def versions(done: list[Measured]) -> str:
    found = {name: version for each in done for name, version in each.versions.items()}
    return ", ".join(f"{name} {version}" for name, version in sorted(found.items(), key=lambda pair: pair[0].lower()))


def one(found: list[Measured], job: str, people: int, peer: str) -> Measured | None:
    same = [each for each in found if (each.job, each.people, each.peer) == (job, people, peer)]
    return same[0] if same else None


def markdown(head: list[str], body: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *body]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def short(seconds: float) -> str:
    """Three digits that count."""
    return f"{seconds:.3g}" if seconds < 100 else f"{seconds:.0f}"


def whole(megabytes: float | None) -> str:
    return "-" if megabytes is None else f"{megabytes:.0f}"
