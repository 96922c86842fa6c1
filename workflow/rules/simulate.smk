rule simulate:
    """Make up the people of a survey and write the raw files its declaration asks for."""
    input:
        code=code("simulate"),
        lock=LOCK,
    output:
        raw=directory("<results>/simulated/{survey}"),
        receipt="<results>/acquired/{survey}.json",
    log:
        "<results>/logs/simulate/{survey}.log",
    conda:
        "../../environment.yml"
    params:
        declaration=lambda wildcards: declared(run=run, survey=wildcards.survey),
        people=RUN.people,
        seed=RUN.seed,
    script:
        "../scripts/simulate.py"


rule plant:
    """The truth that was planted: what an estimate of each trial should find."""
    input:
        code=code("simulate"),
        lock=LOCK,
    output:
        truth="<results>/trials/{protocol}/{survey}.truth.csv",
    log:
        "<results>/logs/plant/{protocol}/{survey}.log",
    conda:
        "../../environment.yml"
    params:
        declaration=lambda wildcards: declared(
            survey=wildcards.survey, protocol=wildcards.protocol
        ),
        seed=RUN.seed,
    script:
        "../scripts/plant.py"
