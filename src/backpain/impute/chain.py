"""One chain of chained equations: what is drawn, in which order, with what."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import LinAlgError

from backpain.impute.board import Board
from backpain.impute.categories import Mode, climb, draw, probabilities, resample
from backpain.impute.information import Cells, NotFitted
from backpain.impute.numbers import Line, draw_grouped_line, draw_line, match
from backpain.impute.perfect import FAR, empty_cells, pseudo_observations
from backpain.impute.plan import ImputationPlan
from backpain.impute.variables import Codes, Numbers, Variable

Marks = NDArray[np.bool_]

# ASSUME: chains start with random intercepts of this variance on the log-odds scale, and of this ratio to the
# residual variance; later iterations draw it, so that it matters little after a few.
FIRST_VARIANCE = 0.1
# A column that the others explain but for this share of its sum of squares is taken as their copy.
DEPENDENT = 1e-9
# What the notes tell.
LEFT_OUT, SEPARATED, ONE_LEVEL = "column left out", "perfect prediction", "one value only"
TOGETHER = "several columns together"


@dataclass
class Target:
    """A variable to be drawn, and what its model carries from one iteration to the next.

    Attributes
    ----------
    seen, blank
        Rows with a value (a group's side by side) and rows to be drawn.
    columns
        Rows of the board that predict it; None until the first visit has left out copies.
    variance
        Of the random intercepts: on the log-odds scale, or relative to the residual variance.
    """

    variable: Variable
    seen: Codes
    blank: Codes
    group: Codes
    groups: int
    variance: float = FIRST_VARIANCE
    columns: Codes | None = None
    mode: Mode | None = None
    pseudo: bool = False
    content: Codes | Numbers = field(default_factory=lambda: np.empty(0))

    @property
    def grouped(self) -> bool:
        """Whether the model has random intercepts."""
        return self.groups > 0


Note = tuple[str, str, str, int]


class Chain:
    """One chain: its board, its targets, its random numbers, and what it notes."""

    def __init__(self, board: Board, targets: list[Target], plan: ImputationPlan, rng: np.random.Generator) -> None:
        """Start with values drawn at random from those observed."""
        self.board, self.targets, self.plan, self.rng = board, targets, plan, rng
        self.notes: dict[tuple[str, str, str], set[int]] = {}
        self.iteration = 0
        for target in targets:
            donors = target.variable.code[target.seen]
            self._enter(target, donors[rng.integers(len(donors), size=len(target.blank))])

    def run(self, record: Callable[[int, Target], None]) -> None:
        """All iterations; `record` is told after each visit to a variable."""
        for iteration in range(1, self.plan.iterations + 1):
            self.iteration = iteration
            for target in self.targets:
                self.visit(target)
                record(iteration, target)

    def visit(self, target: Target) -> None:
        """Draw the missing values of one variable given everything else."""
        if len(target.variable.levels) == 1:
            self._note(target, ONE_LEVEL, "")
            return
        if target.columns is None:
            self._choose(target)
        way = self._categories if target.variable.categorical else self._numbers
        try:
            drawn = way(target)
        except (NotFitted, LinAlgError):
            # Columns may have become copies of one another as values changed: choose anew, once.
            self._choose(target)
            try:
                drawn = way(target)
            except (NotFitted, LinAlgError) as error:
                raise ValueError(
                    f"impute: the model of {target.variable.name} cannot be fitted in iteration {self.iteration} "
                    f"({error}); give it fewer predictors or coarser categories"
                ) from error
        self._enter(target, drawn)

    def _enter(self, target: Target, drawn: Codes | Numbers) -> None:
        variable = target.variable
        if variable.method == "normal" and drawn.dtype != np.float64:
            drawn = variable.levels[drawn]
        target.content = drawn
        self.board.write(variable.name, target.blank, variable.columns(drawn))

    def _note(self, target: Target, what: str, column: str) -> None:
        self.notes.setdefault((target.variable.name, what, column), set()).add(self.iteration)

    def _choose(self, target: Target) -> None:
        """Leave out columns that are constant, or copies of earlier ones, among those with a value."""
        columns = self.board.columns_for(target.variable.name)
        x = self.board.read(columns, target.seen)
        kept = independent(x @ x.T)
        names = self.board.names()
        if not target.variable.categorical and kept.sum() >= len(target.seen):
            raise ValueError(
                f"impute: {target.variable.name} is known for {len(target.seen)} people and its model has "
                f"{len(columns)} columns, so nothing tells its spread; give it fewer predictors"
            )
        for column in columns[~kept]:
            self._note(target, LEFT_OUT, names[column])
        target.columns, target.mode = columns[kept], None

    def _sides(self, target: Target) -> tuple[Numbers, Numbers]:
        assert target.columns is not None
        return self.board.read(target.columns, target.seen), self.board.read(target.columns, target.blank)

    def _numbers(self, target: Target) -> Codes | Numbers:
        seen, blank = self._sides(target)
        known = target.variable.code[target.seen]
        y = target.variable.levels[known]
        line = self._line(target, seen, y)
        drawn = line.drawn @ blank
        fitted = line.coefficients @ seen
        if line.intercepts is not None and line.drawn_intercepts is not None:
            fitted += line.intercepts[target.group[target.seen]]
            drawn += line.drawn_intercepts[target.group[target.blank]]
        if target.variable.method == "normal":
            return drawn + line.spread * self.rng.standard_normal(len(drawn))
        return known[match(fitted, drawn, self.plan.donors, self.rng)]

    def _line(self, target: Target, seen: Numbers, y: Numbers) -> Line:
        if not target.grouped:
            return draw_line(seen, y, self.rng)
        line = draw_grouped_line(seen, y, target.group[target.seen], target.groups, target.variance, self.rng)
        own = line.drawn_intercepts
        assert own is not None
        target.variance = self._variance(float(own @ own), target.groups) / max(line.spread**2, 1e-300)
        return line

    def _variance(self, squares: float, terms: int) -> float:
        """A draw of the intercepts' variance, uniform a priori on its root (Gelman 2006, Bayesian Anal 1:515)."""
        return max(squares / float(self.rng.chisquare(terms - 1)), 1e-8)

    def _categories(self, target: Target) -> Codes:
        seen, blank = self._sides(target)
        mode, cells = self._fit(target, seen)
        target.mode = mode
        resampled = target.pseudo and self.plan.augment == "where needed"
        b, u = resample(cells, mode, self.rng) if resampled else draw(mode, self.rng)[:2]
        own = None
        if u is not None:
            squares = float((u * u).sum() - (u.sum(axis=1) ** 2).sum() / (u.shape[1] + 1))
            target.variance = self._variance(squares, u.size)
            own = u.T[:, target.group[target.blank]]
        share, _ = probabilities(blank, b, own)
        return _pick(share, self.rng.random(len(target.blank)))

    def _fit(self, target: Target, x: Numbers) -> tuple[Mode, Cells]:
        levels = len(target.variable.levels)
        code = target.variable.code[target.seen]
        empty = empty_cells(x, code, levels)
        named = self.board.names()
        assert target.columns is not None
        for column in empty:
            self._note(target, SEPARATED, named[target.columns[column]])
        if not empty and self.plan.augment != "as mice":
            cells = self._cells(target, x, code, False)
            mode = self._attempt(target, cells, False)
            if mode is not None:
                return mode, cells
            self._note(target, SEPARATED, TOGETHER)
        cells = self._cells(target, x, code, True)
        mode = self._attempt(target, cells, True)
        if mode is None:
            raise NotFitted("no maximum, even with pseudo-observations")
        return mode, cells

    def _attempt(self, target: Target, cells: Cells, pseudo: bool) -> Mode | None:
        """Fit, from the last iteration's place and then from none; None where the fit runs away."""
        start = target.mode if target.pseudo == pseudo else None
        target.pseudo = pseudo
        for place in (start, None):
            try:
                mode = climb(cells, place)
            except NotFitted:
                continue
            return mode if pseudo or mode.farthest < FAR else None
        return None

    def _cells(self, target: Target, x: Numbers, code: Codes, pseudo: bool) -> Cells:
        levels, share, group = len(target.variable.levels), np.ones(len(code)), None
        if target.grouped:
            group = target.group[target.seen]
        if pseudo:
            observed = np.bincount(code, minlength=levels) / len(code) if self.plan.augment != "as mice" else None
            rows, level, weight = pseudo_observations(x, levels, observed)
            x, code = np.concatenate([x, rows], axis=1), np.concatenate([code, level])
            share = np.concatenate([share, weight])
            if group is not None:
                group = np.concatenate([group, np.full(len(level), -1)])
        hit = (code == np.arange(1, levels)[:, None]).astype(float)
        return Cells(x, hit, share, group, target.groups, target.variance)


def _pick(share: Numbers, uniform: Numbers) -> Codes:
    """The level each row falls into, given the shares of all levels but the first."""
    place = np.zeros(len(uniform), dtype=np.intp)
    edge = np.zeros(len(uniform))
    for level, part in enumerate(share, 1):
        place[(uniform >= edge) & (uniform < edge + part)] = level
        edge = edge + part
    return place


def independent(gram: Numbers) -> Marks:
    """(columns,) which columns are not explained by earlier ones, from their cross product."""
    scale = np.sqrt(np.diag(gram).clip(0))
    kept = scale > 0
    rest = gram / np.outer(np.where(kept, scale, 1), np.where(kept, scale, 1))
    for column in range(len(rest)):
        pivot = rest[column, column]
        if not kept[column] or pivot < DEPENDENT:
            kept[column] = False
            continue
        row = rest[column].copy()
        rest -= np.outer(row, row) / pivot
    return kept
