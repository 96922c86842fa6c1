rule acquire:
    """Find each file in data/raw, then in the mirrors, then download it; write down where it was found."""
    input:
        code=code("ingest"),
        lock=LOCK,
    output:
        receipt="<results>/acquired/{survey}.json",
    log:
        "<results>/logs/acquire/{survey}.log",
    conda:
        "../../environment.yml"
    params:
        declaration=lambda wildcards: declared(survey=wildcards.survey, part="files"),
    script:
        "../scripts/acquire.py"
