"""The declaration of one survey: its files, sampling design, code lists and how it answers each variable."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from backpain.spec.base import Closed, Range, Scalar
from backpain.spec.world import World

Wave = int | str
# Where the number of a replicate stands in a column's name.
NUMBER = r"\{n(?::0\d)?\}"


class Source(Closed):
    """Where one column of a file comes from: the agency's name, for which waves, and how its text is cut.

    `from` may hold `{yy}`, `{year}` and the wave's own fields; `match` keeps the first group of a regular
    expression; `drop_prefix` removes leading characters; `group_size` counts the rows that share the value;
    `value` gives a constant where a wave has no such column.
    """

    from_: str | None = Field(None, alias="from")
    since: Wave | None = None
    until: Wave | None = None
    match: str | None = None
    drop_prefix: int | None = None
    group_size: bool = False
    value: Scalar | None = None

    @model_validator(mode="after")
    def _one_origin(self) -> Source:
        if (self.from_ is None) == (self.value is None):
            raise ValueError("a column source has either `from` (the agency's name) or `value` (a constant)")
        if self.match is not None and re.compile(self.match).groups != 1:
            raise ValueError("`match` needs exactly one group, the part to keep")
        return self

    def covers(self, wave: Wave) -> bool:
        """Whether this source is the one for the wave (both ends included)."""
        after = self.since is None or str(wave) >= str(self.since)
        before = self.until is None or str(wave) <= str(self.until)
        return after and before


class Test(Closed):
    """A condition on one column that a list of codes cannot say."""

    minimum: float | None = None
    maximum: float | None = None
    none_of: list[Scalar] | None = None
    days_after: str | None = None


Tests = Scalar | list[Scalar] | Test
Where = dict[str, Tests]


class Rows(Closed):
    """What one row of a file is: `{one: person}` or `{many: condition}` (several rows for each person)."""

    one: Literal["person"] | None = None
    many: str | None = None

    @model_validator(mode="after")
    def _one_kind(self) -> Rows:
        if (self.one is None) == (self.many is None):
            raise ValueError("say `one: person` or `many: <what a row is>`, and only one of them")
        return self


class Lookup(Closed):
    """A table of codes joined to every row of a file: which columns it adds, and by which it is joined."""

    file: str
    by: str
    columns: list[str]


class File(Closed):
    """One of the survey's files: where it lies, where it comes from, what its rows and columns are.

    `component` is the weight component of the file; `components` names columns that have another one.
    """

    path: str
    or_: list[str] = Field(default_factory=list, alias="or")
    url: str | None = None
    obtain: str | None = None
    member: str | None = None
    object: str | None = None
    sha256: dict[str, str] = Field(default_factory=dict)
    megabytes: float | None = None
    format: str | None = None
    layout: dict[str, tuple[int, int]] | None = None
    rows: Rows
    key: list[str] | None = None
    columns: dict[str, list[Source]] = Field(default_factory=dict)
    lookup: Lookup | None = None
    component: str | None = None
    components: dict[str, list[str]] = Field(default_factory=dict)
    asked_of: dict[str, Range] | None = None
    none_means: Literal["absent", "missing"] | None = None
    waves: list[Wave] | None = None

    @field_validator("columns", mode="before")
    @classmethod
    def _one_source_is_a_list(cls, value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        named = {k: [{"from": v}] if isinstance(v, str) else v for k, v in value.items()}
        return {k: [v] if isinstance(v, dict) else v for k, v in named.items()}

    @model_validator(mode="after")
    def _can_be_had(self) -> File:
        if self.url is None and self.obtain is None:
            raise ValueError("give `url` (the official address) or `obtain` (how a person gets the file)")
        return self

    def components_of(self, columns: list[str]) -> set[str]:
        """Weight components of the file and of some of its columns."""
        own = {column: name for name, named in self.components.items() for column in named}
        return {name for name in [self.component, *map(own.get, columns)] if name is not None}


class FurtherStage(Closed):
    """A stage after the first: what was drawn within each unit of the stage before, and out of how many.

    `cluster: null` draws each person; `stratum` are its strata within the units of the stage before; `population` is the
    column with how many units there were to draw from.
    """

    cluster: str | None
    stratum: str | None = None
    population: str | None = None


class GivenReplicates(Closed):
    """Replicate weights that the agency provides, beside or in place of strata and PSUs.

    `columns` holds `{n}` (`{n:02}` with two digits), which runs from 1 to `count`, for each weight component. They hold
    `weights`, or `multipliers` of the full-sample weight, or 1 for those in a `half-samples` whose weight doubles.
    `scale` is what the squared deviation of each replicate counts (one number, or one for each), `df` the degrees of
    freedom: the survey's documentation gives both.
    """

    columns: dict[str, str]
    count: int = Field(ge=2)
    hold: Literal["weights", "multipliers", "half-samples"] = "weights"
    scale: float | list[float]
    centre: Literal["replicates", "estimate"] = "estimate"
    df: int | None = Field(None, ge=1)

    @model_validator(mode="after")
    def _as_many_as_counted(self) -> GivenReplicates:
        for component, name in self.columns.items():
            if len(re.findall(NUMBER, name)) != 1:
                raise ValueError(
                    f"replicates > columns > {component}: write {{n}} once, where the number stands ({{n:02}} for two digits)"
                )
        scales = self.scale if isinstance(self.scale, list) else [self.scale]
        if isinstance(self.scale, list) and len(scales) != self.count:
            raise ValueError(f"replicates: {len(scales)} scales for {self.count} replicates")
        if min(scales) < 0 or max(scales) <= 0:
            raise ValueError("replicates: `scale` has to be positive; see the survey's documentation")
        return self

    def named(self, component: str) -> list[str]:
        """The columns of one weight component, in order."""
        return [self.columns[component].format(n=number) for number in range(1, self.count + 1)]


class JointWeights(Closed):
    """Weights of this survey for a pool with some others, made by the agency where its own are not comparable with theirs.

    `always` says that without those others the survey cannot be pooled at all.
    """

    with_: list[str] = Field(alias="with", min_length=1)
    weights: dict[str, str]
    always: bool = False


class SamplingDesign(Closed):
    """How people were sampled. `weights` go from the commonest component to the rarest; `file.COLUMN` is that of a subsample.

    `strata: null` is one stratum; `cluster: null` draws each person. `nested: false` says that PSU numbers do not start
    anew in each stratum, so that one PSU in two strata is a mistake. `population` is the column with the number of PSUs
    in the stratum's population: without it PSUs count as drawn with replacement, and stages after them add nothing.
    """

    weights: dict[str, str]
    strata: str | None
    cluster: str | None
    nested: bool = True
    population: str | None = None
    stages: list[FurtherStage] = Field(default_factory=list)
    replicates: GivenReplicates | None = None
    jointly: JointWeights | None = None
    lonely: Literal["fail", "remove", "adjust", "average"] = "adjust"
    scaled: Literal["by panel"] | None = None

    @model_validator(mode="after")
    def _stages_follow(self) -> SamplingDesign:
        drawn = [self.population, *(stage.population for stage in self.stages)]
        if any(later is not None and None in drawn[:place] for place, later in enumerate(drawn)):
            raise ValueError("a stage with `population` needs one at every stage before it: without, it adds nothing")
        if self.stages and self.cluster is None:
            raise ValueError("stages: nothing was drawn within a person; name the PSUs by `cluster`")
        if any(stage.cluster is None for stage in self.stages[:-1]):
            raise ValueError("stages: nothing was drawn within a person; `cluster: null` stands at the last stage only")
        if self.replicates is not None and set(self.replicates.columns) - set(self.weights):
            strays = ", ".join(sorted(set(self.replicates.columns) - set(self.weights)))
            raise ValueError(f"replicates > columns: {strays}: not among the weights ({', '.join(self.weights)})")
        if self.jointly is not None and list(self.jointly.weights) != list(self.weights):
            raise ValueError(f"jointly > weights: give one for each of {', '.join(self.weights)}, in that order")
        return self

    @property
    def stage_columns(self) -> dict[str, str]:
        """The agency's columns of the stages, with the names they have among harmonised people."""
        named = {"stratum": self.strata, "psu": self.cluster, "population": self.population}
        for place, stage in enumerate(self.stages, 2):
            named |= {
                f"unit_{place}": stage.cluster,
                f"stratum_{place}": stage.stratum,
                f"population_{place}": stage.population,
            }
        return {name: column for name, column in named.items() if column is not None}

    @property
    def weight_columns(self) -> dict[str, str]:
        """The agency's weights, replicate weights too, with the names they have among harmonised people."""
        named = {f"weight_{name}": column.rpartition(".")[2] for name, column in self.weights.items()}
        if self.jointly is not None:
            named |= {f"joint_{name}": column.rpartition(".")[2] for name, column in self.jointly.weights.items()}
        if self.replicates is not None:
            for component in self.replicates.columns:
                columns = self.replicates.named(component)
                named |= {f"replicate_{component}_{place}": column for place, column in enumerate(columns, 1)}
        return named

    @property
    def borrowed(self) -> dict[str, list[str]]:
        """Weights of a subsample that its own file holds (`file.COLUMN`), by file; whoever is not in it weighs nothing."""
        found: dict[str, list[str]] = {}
        for column in (*self.weights.values(), *(self.jointly.weights.values() if self.jointly else ())):
            if "." in column:
                file, own = split(column)
                found.setdefault(file, []).append(own)
        return found

    @property
    def of_places(self) -> SamplingDesign:
        """The same without what is left behind in a pool."""
        return self.model_copy(update={"replicates": None, "jointly": None})

    @property
    def columns(self) -> list[str]:
        """Every column of the agency's that the design is made of."""
        return list(dict.fromkeys([*self.stage_columns.values(), *self.weight_columns.values()]))


class Period(Closed):
    """The years of data collection, both included; `years` is how many they come to where not all were whole."""

    from_: int = Field(alias="from")
    to: int
    years: float | None = None

    @property
    def length(self) -> float:
        """Years of data."""
        return self.years or float(self.to - self.from_ + 1)

    def overlaps(self, other: Period) -> bool:
        """Whether some year belongs to both."""
        return self.from_ <= other.to and other.from_ <= self.to


class Pool(Closed):
    """Surveys put together as one: each weight counts by the member's share of the years.

    `strata` says whether strata are the same across members: `shared`, as they stand (the agency made them one system);
    `distinct`, already numbered apart, which is checked; `separate`, kept apart by the member's name.
    """

    of: list[str] = Field(min_length=2)
    strata: Literal["shared", "distinct", "separate"]


class Waves(Closed):
    """The waves in order with the fields their file names need; panels name the waves they are followed over."""

    name: str = "wave"
    values: dict[Wave, dict[str, Scalar]]
    panels: dict[int, list[Wave]] | None = None
    panel: str | None = None

    @field_validator("values", mode="before")
    @classmethod
    def _a_list_will_do(cls, value: Any) -> Any:
        if isinstance(value, list):
            return {wave: {} for wave in value}
        return {wave: fields or {} for wave, fields in value.items()} if isinstance(value, dict) else value

    @model_validator(mode="after")
    def _panels_use_declared_waves(self) -> Waves:
        for panel, waves in (self.panels or {}).items():
            strays = [wave for wave in waves if wave not in self.values]
            if strays:
                raise ValueError(f"panel {panel} names waves that are not declared: {strays}")
        if (self.panels is None) != (self.panel is None):
            raise ValueError("`panels` and `panel` (the column that holds the panel number) go together")
        return self


class Matched(Closed):
    """How one column has to agree in a link: the same, to some decimals, or later by a range of years."""

    decimals: int | None = None
    later: tuple[float, float] | None = None


class Link(Closed):
    """Joins a file without the person's id, by columns that identify a person almost always.

    `{add: people, to: conditions, by: ...}` adds one file's columns to the persons of the same wave;
    `{add: people, across: waves, by: ..., for: seen_again}` looks for the persons in the next wave's file.
    """

    add: str
    to: str | None = None
    across: Literal["waves"] | None = None
    by: dict[str, Literal["same"] | Matched]
    ambiguous: Literal["drop"] = "drop"
    for_: Literal["seen_again"] | None = Field(None, alias="for")

    @model_validator(mode="after")
    def _one_kind(self) -> Link:
        if (self.to is None) == (self.across is None):
            raise ValueError("a link has `to: <file>` or `across: waves`, and only one of them")
        return self


class Condition(Closed):
    """Something true, false or unknown of a person in a wave."""

    any: str | None = None
    where: Where | list[Where] | None = None
    missing_when: Where | None = None
    all: list[Condition] | None = None
    any_of: list[Condition] | None = None
    is_: dict[str, Tests] | None = Field(None, alias="is")
    no: Condition | None = Field(None, alias="not")

    @model_validator(mode="after")
    def _one_kind(self) -> Condition:
        kinds = [k for k in ("any", "all", "any_of", "is_", "no") if getattr(self, k) is not None]
        if len(kinds) != 1:
            raise ValueError("a condition is one of `any`, `all`, `any_of`, `is`, `not`")
        if (self.where is not None or self.missing_when is not None) and self.any is None:
            raise ValueError("`where` belongs to `any: <file>`")
        return self

    def parts(self) -> Iterator[Condition]:
        """This condition and all inside it."""
        yield self
        for part in [*(self.all or []), *(self.any_of or []), *([self.no] if self.no else [])]:
            yield from part.parts()

    @property
    def alternatives(self) -> list[Where]:
        """The `where` as a list of alternatives; no `where` is true of every row."""
        return self.where if isinstance(self.where, list) else [self.where or {}]


class Mapping(Closed):
    """How the survey answers one variable: exactly one kind, and nothing a reviewer cannot read.

    from (with recode or cut) | derive (with using) | any, all, any_of, is, not (present or absent) |
    count | first_of | unavailable.
    """

    from_: str | None = Field(None, alias="from")
    recode: dict[Scalar, str] | None = None
    cut: dict[str, tuple[float | None, float | None]] | None = None
    missing: list[Scalar] | None = None
    blank: str | None = None
    derive: str | None = None
    using: dict[str, str] | list[str] | None = None
    any: str | None = None
    where: Where | list[Where] | None = None
    missing_when: Where | None = None
    all: list[Condition] | None = None
    any_of: list[Condition] | None = None
    is_: dict[str, Tests] | None = Field(None, alias="is")
    no: Condition | None = Field(None, alias="not")
    count: str | None = None
    distinct: str | None = None
    first_of: dict[str, Condition | Literal["otherwise"]] | None = None
    unavailable: str | None = None
    because: str | None = None

    @field_validator("recode", mode="before")
    @classmethod
    def _keep_true_and_false(cls, value: Any) -> Any:
        return {str(k).lower() if isinstance(k, bool) else k: v for k, v in value.items()} if value else value

    @model_validator(mode="after")
    def _one_kind(self) -> Mapping:
        if len(self.kinds) != 1:
            raise ValueError(
                "a variable is answered by exactly one of `from`, `derive`, `any`, `all`, `any_of`, `is`, `not`, "
                f"`count`, `first_of`, `unavailable`; found {', '.join(self.kinds) or 'none'}"
            )
        allowed = {
            "from": {"recode", "cut", "missing", "blank"},
            "derive": {"using", "missing"},
            "any": {"where", "missing_when"},
            "count": {"where", "distinct", "missing_when"},
        }.get(self.kind, set())
        given = {
            key
            for key in ("recode", "cut", "missing", "blank", "using", "where", "distinct", "missing_when")
            if getattr(self, key) is not None
        }
        if given - allowed:
            raise ValueError(f"`{self.kind}` does not take {', '.join(sorted(given - allowed))}")
        if self.recode is not None and self.cut is not None:
            raise ValueError("`recode` and `cut` cannot both stand")
        return self

    @property
    def kinds(self) -> list[str]:
        """Every kind this mapping names; a valid one names exactly one."""
        fields = {"from": "from_", "is": "is_", "not": "no"}
        names = ["from", "derive", "any", "all", "any_of", "is", "not", "count", "first_of", "unavailable"]
        return [name for name in names if getattr(self, fields.get(name, name)) is not None]

    @property
    def kind(self) -> str:
        """The one kind of this mapping."""
        return self.kinds[0]

    def condition(self) -> Condition:
        """The present-or-absent kinds as a condition."""
        return Condition.model_validate(
            {k: getattr(self, k) for k in ("any", "where", "missing_when", "all", "any_of", "is_", "no")}
        )

    def conditions(self) -> Iterator[Condition]:
        """Every condition inside this mapping, nested ones too."""
        if self.kind in ("any", "all", "any_of", "is", "not"):
            yield from self.condition().parts()
        for part in (self.first_of or {}).values():
            if isinstance(part, Condition):
                yield from part.parts()

    def uses(self) -> list[tuple[str, list[str], Where]]:
        """The files this mapping reads: (file, columns, where-clause) for each place it reads one."""
        found: list[tuple[str, list[str], Where]] = []
        for reference in [self.from_, *self.references()]:
            if reference is not None:
                file, column = split(reference)
                found.append((file, [column], {}))
        if self.count is not None:
            for where in self.where if isinstance(self.where, list) else [self.where or {}]:
                found.append((self.count, _columns(where, self.missing_when, self.distinct), where))
        for part in self.conditions():
            if part.any is not None:
                found += [(part.any, _columns(w, part.missing_when, None), w) for w in part.alternatives]
        for _, _, where in list(found):
            dates = [test.days_after for test in where.values() if isinstance(test, Test) and test.days_after]
            found += [(split(date)[0], [split(date)[1]], {}) for date in dates]
        return found

    def references(self) -> list[str]:
        """The `file.COLUMN` references handed to a derivation."""
        if self.using is None:
            return []
        return list(self.using.values()) if isinstance(self.using, dict) else self.using

    def needs(self) -> set[str]:
        """Names of other variables of this survey that this one is made from."""
        return {name for part in self.conditions() for name in (part.is_ or {})}


def split(reference: str) -> tuple[str, str]:
    """Split `file.COLUMN`."""
    file, dot, column = reference.partition(".")
    if not dot or not file or not column:
        raise ValueError(f"write `file.COLUMN`, not {reference!r}")
    return file, column


def _columns(where: Where, missing_when: Where | None, distinct: str | None) -> list[str]:
    names = [name for key in [*where, *(missing_when or {})] for name in key.split("|")]
    return [*names, *([distinct] if distinct else [])]


class Check(Closed):
    """A declared check of raw values at the border.

    It finds values that are one of `codes`, none of `allowed`, or `outside` a range; `when` limits it to some rows.
    `then` says what follows: `report` counts, `missing` blanks the column, `drop` leaves the row out,
    `refuse` stops. What it touched is counted in cleaning.csv.
    """

    rule: str
    file: str
    column: str
    outside: Range | None = None
    codes: list[Scalar] | None = None
    allowed: list[Scalar] | None = None
    except_: list[Scalar] = Field(default_factory=list, alias="except")
    when: Where | None = None
    then: Literal["report", "missing", "drop", "refuse"]


class Differs(Closed):
    """Why a published figure cannot be met exactly, and what is computed instead."""

    computed: float
    because: str


class Published(Closed):
    """A published figure and the computation that should reproduce it.

    rows: <file> | codes: <file.COLUMN> | people: <tests> | share: <tests> | total: <file.COLUMN> |
    linked: <file> | not_computable: <words>. Tests may name a wave by `first.` or `later.`.
    """

    rows: str | None = None
    codes: str | None = None
    people: dict[str, Tests] | None = None
    share: dict[str, Tests] | None = None
    total: str | None = None
    linked: str | None = None
    not_computable: str | None = None
    among: dict[str, Tests] = Field(default_factory=dict)
    weight: str | None = None
    value: float | dict[Scalar, int]
    within: float = 0.0
    quantity: str
    source: str
    differs: Differs | None = None
    because: str | None = None

    @property
    def intervals(self) -> bool:
        """Whether the figure is an estimate, which has an interval, and not a count of the files."""
        return self.share is not None

    @model_validator(mode="after")
    def _one_kind(self) -> Published:
        kinds = ["rows", "codes", "people", "share", "total", "linked", "not_computable"]
        if sum(getattr(self, kind) is not None for kind in kinds) != 1:
            raise ValueError(f"a published figure is one of {', '.join(kinds)}")
        return self


class ControlsOf(Closed):
    """A list of negative controls that a survey answers by codes: the list, the file of rows, the column of their codes."""

    list: str
    file: str
    column: str


class Survey(Closed):
    """One survey (or one family's cycle): everything that is true of it and nothing about how it is analysed."""

    name: str
    title: str
    source: str
    citation: str | None = None
    licence: str
    kind: Literal["panel", "cross-section"]
    simulated: bool = False
    period: Period | None = None
    pool: Pool | None = None
    person: list[str]
    waves: Waves
    base: str
    design: SamplingDesign
    files: dict[str, File]
    lookups: dict[str, File] = Field(default_factory=dict)
    links: list[Link] = Field(default_factory=list)
    codes: dict[str, dict[str, list[str]]] = Field(default_factory=dict)
    missing: list[Scalar] = Field(default_factory=list)
    checks: list[Check] = Field(default_factory=list)
    controls: ControlsOf | None = None
    variables: dict[str, Mapping]
    published: list[Published] = Field(default_factory=list)
    assumptions: list[str] = Field(default_factory=list)
    world: World | None = None

    def components(self, variables: set[str]) -> set[str]:
        """Weight components of the files that the named variables read, other variables inside them too."""
        found: set[str] = set()
        for name in self.closure(variables):
            for file, columns, _ in self.variables[name].uses():
                found |= self.files[file].components_of(columns)
        return found

    def closure(self, variables: set[str]) -> set[str]:
        """The named variables and all those they are made from."""
        seen: set[str] = set()
        pending = list(variables)
        while pending:
            name = pending.pop()
            if name not in seen:
                seen.add(name)
                pending += self.variables[name].needs()
        return seen

    def pooled_jointly(self, members: Collection[str]) -> bool:
        """Whether these members of a pool are those that the survey has joint weights with."""
        return self.design.jointly is not None and set(self.design.jointly.with_) <= set(members)

    def rarest_weight(self, variables: set[str]) -> str:
        """Name of the weight component to use: the rarest among the files the variables come from."""
        order = list(self.design.weights)
        used = [order.index(name) for name in self.components(variables)]
        return order[max(used, default=0)]
