rule ingest:
    """Read a survey's files as declared and check them at the border."""
    input:
        receipt="<results>/acquired/{survey}.json",
        code=code("clean"),
        lock=LOCK,
    output:
        tables=directory("<results>/ingested/{survey}"),
        cleaning="<results>/cleaning/{survey}.csv",
    log:
        "<results>/logs/ingest/{survey}.log",
    conda:
        "../../environment.yml"
    params:
        declaration=lambda wildcards: declared(survey=wildcards.survey, part="raw"),
    script:
        "../scripts/ingest.py"


rule harmonise:
    """Apply the declared mappings; set what the files give beside what was published of them."""
    input:
        tables="<results>/ingested/{survey}",
        code=code("harmonise"),
        lock=LOCK,
    output:
        people="<results>/harmonised/{survey}.parquet",
        published="<results>/published/{survey}.csv",
        matrix="<results>/harmonisation/{survey}.csv",
    log:
        "<results>/logs/harmonise/{survey}.log",
    wildcard_constraints:
        survey=one_of(MEMBERS),
    conda:
        "../../environment.yml"
    params:
        declaration=lambda wildcards: declared(
            survey=wildcards.survey, part="variables"
        ),
    script:
        "../scripts/harmonise.py"


rule pool:
    """Put the people of several surveys together as one; set what they give beside what was published of them."""
    input:
        people=lambda wildcards: expand(
            "<results>/harmonised/{member}.parquet", member=READ[wildcards.survey]
        ),
        code=code("harmonise"),
        lock=LOCK,
    output:
        people="<results>/harmonised/{survey}.parquet",
        published="<results>/published/{survey}.csv",
        matrix="<results>/harmonisation/{survey}.csv",
    log:
        "<results>/logs/pool/{survey}.log",
    wildcard_constraints:
        survey=one_of(POOLED),
    conda:
        "../../environment.yml"
    params:
        declaration=lambda wildcards: declared(
            survey=wildcards.survey, part="variables"
        ),
    script:
        "../scripts/pool.py"
