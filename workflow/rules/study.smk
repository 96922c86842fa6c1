# The simulation study of the estimators: `make study`, or any of its files by name. It needs no survey.


rule study:
    """The simulation study of the estimators, with its page."""
    input:
        "results/studies/estimators/study.html",


rule population:
    """The truth of every estimand in one scenario's population."""
    input:
        code=code("study"),
        lock=LOCK,
    output:
        truth="results/studies/{study}/{place}.truth.csv",
    log:
        "results/studies/{study}/logs/{place}.truth.log",
    wildcard_constraints:
        study="[a-z-]+",
        place="[0-9]+",
    conda:
        "../../environment.yml"
    params:
        declaration=lambda wildcards: declared(
            study=wildcards.study, place=int(wildcards.place), part="truth"
        ),
    script:
        "../scripts/population.py"


rule repeat:
    """One job's share of the repetitions of one scenario."""
    input:
        code=code("study"),
        lock=LOCK,
    output:
        found="results/studies/{study}/{place}.{part}.parquet",
    log:
        "results/studies/{study}/logs/{place}.{part}.log",
    wildcard_constraints:
        study="[a-z-]+",
        place="[0-9]+",
    conda:
        "../../environment.yml"
    params:
        declaration=lambda wildcards: declared(
            study=wildcards.study, place=int(wildcards.place)
        ),
    script:
        "../scripts/repeat.py"


rule refit:
    """The same repetitions with bootstrap weights, every model fitted again in each replicate."""
    input:
        code=code("study"),
        lock=LOCK,
    output:
        found="results/studies/{study}/{place}.{part}.refitted.parquet",
    log:
        "results/studies/{study}/logs/{place}.{part}.refitted.log",
    wildcard_constraints:
        study="[a-z-]+",
        place="[0-9]+",
    conda:
        "../../environment.yml"
    params:
        declaration=lambda wildcards: declared(
            study=wildcards.study, place=int(wildcards.place), part="refitted"
        ),
    script:
        "../scripts/refit.py"


rule perform:
    """Bias, errors, coverage and power of every estimator in every scenario, what they say together, and the page."""
    input:
        found=study_parts,
        truth=study_truths,
        template=[
            "workflow/report/study.html.j2",
            *(f"workflow/report/{name}" for name in TEMPLATE),
        ],
        code=code("report"),
        study=code("study"),
        lock=LOCK,
    output:
        performance="results/studies/{study}/performance.csv",
        verdict="results/studies/{study}/verdict.csv",
        truth="results/studies/{study}/truth.csv",
        page="results/studies/{study}/study.html",
    log:
        "results/studies/{study}/logs/perform.log",
    wildcard_constraints:
        study="[a-z-]+",
    conda:
        "../../environment.yml"
    params:
        declaration=lambda wildcards: declared(study=wildcards.study),
        commit=commit(Path()),
    script:
        "../scripts/perform.py"
