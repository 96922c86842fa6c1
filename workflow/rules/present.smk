def parts(kind):
    """The pieces of one result table over all analyses of the run."""
    pieces = trials(f"<results>/trials/{{protocol}}/{{survey}}.{kind}.csv")
    if kind in ("estimates", "flow"):
        pieces += associations(f"<results>/associations/{{association}}/{{survey}}.{kind}.csv")
    return pieces


TABLES = ["estimates", "flow", "diagnostics", "balance", "overlap", "table1", "missingness", "detectable"]
TABLES += ["truth"] if RUN.simulated else []
PER_SURVEY = ["cleaning", "published", "harmonisation"]


rule combine:
    """Put the pieces together, stop at a published figure that is not met, hide small cells, judge the claims."""
    input:
        **{kind: parts(kind) for kind in TABLES},
        **{kind: expand("<results>/" + kind + "/{survey}.csv", survey=RUN.surveys) for kind in PER_SURVEY},
        code=code("synthesise") + code("tables.suppress") + code("harmonise"),
        lock=LOCK,
    params:
        declaration=declared(run=run, claims=True),
    output:
        **{kind: f"<results>/{kind}.csv" for kind in [*TABLES, *PER_SURVEY]},
        claims="<results>/claims.csv",
    log:
        "<results>/logs/combine.log",
    conda:
        "../../environment.yml"
    script:
        "../scripts/combine.py"


def tables():
    """Every result table by its name."""
    return {kind: f"<results>/{kind}.csv" for kind in [*TABLES, *PER_SURVEY, "claims"]}


rule draw:
    """Draw the figures of one kind for one trial and survey."""
    input:
        **tables(),
        code=lambda wildcards: code(f"figures.{wildcards.kind}"),
        lock=LOCK,
    params:
        declaration=lambda wildcards: declared(protocol=wildcards.protocol, survey=wildcards.survey, part="words"),
        figures=lambda wildcards: FIGURES[wildcards.kind],
    output:
        folder=directory("<results>/figures/{protocol}/{survey}/{kind}"),
    wildcard_constraints:
        kind="people|diagnostics|effects",
    log:
        "<results>/logs/draw/{protocol}/{survey}/{kind}.log",
    conda:
        "../../environment.yml"
    script:
        "../scripts/draw.py"


rule draw_evidence:
    """Draw the published evidence beside this run's answers, and the groups of each association."""
    input:
        **tables(),
        code=code("figures.evidence") + code("synthesise"),
        evidence="config/evidence.yaml",
        lock=LOCK,
    params:
        declaration=declared(run=run, claims=True),
    output:
        folder=directory("<results>/figures/evidence"),
    log:
        "<results>/logs/draw/evidence.log",
    conda:
        "../../environment.yml"
    script:
        "../scripts/draw_evidence.py"


rule walk_through:
    """Run the notebook that walks an analyst through the results."""
    input:
        **tables(),
        notebook="notebooks/walk-through.md",
        code=code("figures") + code("tables"),
        lock=LOCK,
    params:
        run=run,
    output:
        page="<results>/notebooks/walk-through.html",
    log:
        "<results>/logs/walk-through.log",
    conda:
        "../../environment.yml"
    script:
        "../scripts/walk_through.py"


rule report:
    """Fill the page; a number that is missing stops it."""
    input:
        **tables(),
        receipts=expand("<results>/acquired/{survey}.json", survey=RUN.surveys),
        figures=[
            *(path for kind in FIGURES for path in trials("<results>/figures/{{protocol}}/{{survey}}/" + kind)),
            "<results>/figures/evidence",
        ],
        evidence="config/evidence.yaml",
        glossary="docs/glossary.md",
        template=glob_wildcards("workflow/report/{name}").name and multiext("workflow/report/", *sorted(glob_wildcards("workflow/report/{name}").name)),
        code=code("report"),
        lock=LOCK,
    params:
        declaration=declared(run=run, claims=True, everything=True),
    output:
        page="<results>/report.html",
        headline="<results>/headline.txt",
    log:
        "<results>/logs/report.log",
    conda:
        "../../environment.yml"
    script:
        "../scripts/report.py"
