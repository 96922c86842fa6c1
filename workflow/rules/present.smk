rule combine:
    """Put the pieces together, stop at a published figure that is not met, hide small cells, judge the claims."""
    input:
        **{kind: pieces(kind) for kind in [*TABLES, *PER_SURVEY]},
        code=code("collect"),
        lock=LOCK,
    output:
        **tables(),
    log:
        "<results>/logs/combine.log",
    conda:
        "../../environment.yml"
    params:
        run=run,
        kinds=[*TABLES, *PER_SURVEY],
        declaration=declared(run=run, claims=True),
    script:
        "../scripts/combine.py"


rule draw:
    """Draw the figures of one kind."""
    input:
        **tables(),
        evidence="config/evidence.yaml",
        code=lambda wildcards: code(f"figures.{wildcards.kind}"),
        lock=LOCK,
    output:
        folder=directory("<results>/figures/{kind}"),
    log:
        "<results>/logs/draw/{kind}.log",
    wildcard_constraints:
        kind="people|diagnostics|effects|evidence",
    conda:
        "../../environment.yml"
    params:
        run=run,
        declaration=declared(run=run, claims=True, everything=True),
    script:
        "../scripts/draw.py"


rule walk_through:
    """Run the notebook that walks an analyst through the results."""
    input:
        **tables(),
        notebook="notebooks/walk-through.md",
        code=code("collect"),
        lock=LOCK,
    output:
        page="<results>/notebooks/walk-through.html",
    log:
        "<results>/logs/walk-through.log",
    conda:
        "../../environment.yml"
    params:
        run=run,
    script:
        "../scripts/walk_through.py"


rule report:
    """Fill the page; a number that is missing stops it."""
    input:
        **tables(),
        receipts=expand("<results>/acquired/{survey}.json", survey=MEMBERS),
        figures=expand(
            "<results>/figures/{kind}",
            kind=["people", "diagnostics", "effects", "evidence"],
        ),
        evidence="config/evidence.yaml",
        glossary="docs/glossary.md",
        template=[f"workflow/report/{name}" for name in TEMPLATE],
        code=code("report"),
        lock=LOCK,
    output:
        page="<results>/report.html",
        headline="<results>/headline.txt",
    log:
        "<results>/logs/report.log",
    conda:
        "../../environment.yml"
    params:
        run=run,
        commit=commit(Path()),
        declaration=declared(run=run, claims=True, everything=True),
    script:
        "../scripts/report.py"


rule crate:
    """Tell what the run made, of what, by which rules and which code: an RO-Crate."""
    input:
        published=[
            *tables().values(),
            *expand(
                "<results>/figures/{kind}",
                kind=["people", "diagnostics", "effects", "evidence"],
            ),
            "<results>/report.html",
            "<results>/headline.txt",
            "<results>/notebooks/walk-through.html",
        ],
        receipts=expand("<results>/acquired/{survey}.json", survey=MEMBERS),
        code=code("crate"),
        lock=LOCK,
    output:
        crate="<results>/ro-crate-metadata.json",
    log:
        "<results>/logs/crate.log",
    conda:
        "../../environment.yml"
    params:
        run=run,
        commit=commit(Path()),
        declaration=declared(run=run, claims=True, everything=True),
    script:
        "../scripts/crate.py"
