rule emulate:
    """Choose each variation's participants and count who was left out."""
    input:
        people="<results>/harmonised/{survey}.parquet",
        code=code("cohort"),
        lock=LOCK,
    output:
        participants="<results>/trials/{protocol}/{survey}.parquet",
        skeleton="<results>/trials/{protocol}/{survey}.skeleton.parquet",
        flow="<results>/trials/{protocol}/{survey}.flow.csv",
    log:
        "<results>/logs/emulate/{protocol}/{survey}.log",
    conda:
        "../../environment.yml"
    params:
        declaration=lambda wildcards: declared(
            protocol=wildcards.protocol, survey=wildcards.survey, part="design"
        ),
    script:
        "../scripts/emulate.py"


rule impute:
    """One job's share of the imputations of every variation that declares them."""
    input:
        participants="<results>/trials/{protocol}/{survey}.parquet",
        code=code("trials"),
        lock=LOCK,
    output:
        values="<results>/trials/{protocol}/{survey}.imputed.{part}.parquet",
        trace="<results>/trials/{protocol}/{survey}.trace.{part}.parquet",
    log:
        "<results>/logs/impute/{protocol}/{survey}.{part}.log",
    conda:
        "../../environment.yml"
    params:
        declaration=lambda wildcards: declared(
            protocol=wildcards.protocol, survey=wildcards.survey, part="design"
        ),
    script:
        "../scripts/impute.py"


rule diagnose:
    """Balance, overlap, weights, missing values and loss of each variation, and the gate that they open or close."""
    input:
        participants="<results>/trials/{protocol}/{survey}.parquet",
        skeleton="<results>/trials/{protocol}/{survey}.skeleton.parquet",
        values=imputations("imputed"),
        code=code("trials"),
        lock=LOCK,
    output:
        diagnostics="<results>/trials/{protocol}/{survey}.diagnostics.csv",
        balance="<results>/trials/{protocol}/{survey}.balance.csv",
        overlap="<results>/trials/{protocol}/{survey}.overlap.csv",
        table1="<results>/trials/{protocol}/{survey}.table1.csv",
        missingness="<results>/trials/{protocol}/{survey}.missingness.csv",
    log:
        "<results>/logs/diagnose/{protocol}/{survey}.log",
    conda:
        "../../environment.yml"
    params:
        declaration=lambda wildcards: declared(
            protocol=wildcards.protocol, survey=wildcards.survey, part="design"
        ),
    script:
        "../scripts/diagnose.py"


rule estimate:
    """Estimate every variation of a trial by every declared estimator, under the survey design."""
    input:
        participants="<results>/trials/{protocol}/{survey}.parquet",
        skeleton="<results>/trials/{protocol}/{survey}.skeleton.parquet",
        values=imputations("imputed"),
        trace=imputations("trace"),
        diagnostics="<results>/trials/{protocol}/{survey}.diagnostics.csv",
        code=code("trials"),
        lock=LOCK,
    output:
        estimates="<results>/trials/{protocol}/{survey}.estimates.csv",
        detectable="<results>/trials/{protocol}/{survey}.detectable.csv",
        pooling="<results>/trials/{protocol}/{survey}.pooling.csv",
        convergence="<results>/trials/{protocol}/{survey}.convergence.csv",
    log:
        "<results>/logs/estimate/{protocol}/{survey}.log",
    conda:
        "../../environment.yml"
    threads: lambda wildcards: WORKERS[wildcards.protocol]
    params:
        declaration=lambda wildcards: declared(
            protocol=wildcards.protocol, survey=wildcards.survey, part="design"
        ),
    script:
        "../scripts/estimate.py"


rule panels:
    """The declared analysis in each panel alone, and how much it differs between them."""
    input:
        participants="<results>/trials/{protocol}/{survey}.parquet",
        skeleton="<results>/trials/{protocol}/{survey}.skeleton.parquet",
        code=code("synthesise"),
        lock=LOCK,
    output:
        panels="<results>/trials/{protocol}/{survey}.panels.csv",
        heterogeneity="<results>/trials/{protocol}/{survey}.heterogeneity.csv",
    log:
        "<results>/logs/panels/{protocol}/{survey}.log",
    conda:
        "../../environment.yml"
    params:
        declaration=lambda wildcards: declared(
            protocol=wildcards.protocol, survey=wildcards.survey, part="design"
        ),
    script:
        "../scripts/panels.py"


rule subgroups:
    """The declared analysis in each level of each declared subgroup, and how far its arms overlap there."""
    input:
        participants="<results>/trials/{protocol}/{survey}.parquet",
        skeleton="<results>/trials/{protocol}/{survey}.skeleton.parquet",
        code=code("trials"),
        lock=LOCK,
    output:
        subgroups="<results>/trials/{protocol}/{survey}.subgroups.csv",
    log:
        "<results>/logs/subgroups/{protocol}/{survey}.log",
    conda:
        "../../environment.yml"
    params:
        declaration=lambda wildcards: declared(
            protocol=wildcards.protocol, survey=wildcards.survey, part="design"
        ),
    script:
        "../scripts/subgroups.py"


rule controls:
    """The trial on outcomes that nothing should change, and the declared analysis calibrated by them."""
    input:
        people="<results>/harmonised/{survey}.parquet",
        estimates="<results>/trials/{protocol}/{survey}.estimates.csv",
        code=code("synthesise"),
        lock=LOCK,
    output:
        controls="<results>/trials/{protocol}/{survey}.controls.csv",
        calibration="<results>/trials/{protocol}/{survey}.calibration.csv",
        calibrated="<results>/trials/{protocol}/{survey}.calibrated.csv",
        contours="<results>/trials/{protocol}/{survey}.contours.csv",
    log:
        "<results>/logs/controls/{protocol}/{survey}.log",
    conda:
        "../../environment.yml"
    params:
        declaration=lambda wildcards: declared(
            protocol=wildcards.protocol,
            survey=wildcards.survey,
            part="design",
            controls=True,
        ),
    script:
        "../scripts/controls.py"


rule doubt:
    """How wrong the data would have to be: confounding, misclassification, loss, one panel's pull."""
    input:
        participants="<results>/trials/{protocol}/{survey}.parquet",
        skeleton="<results>/trials/{protocol}/{survey}.skeleton.parquet",
        estimates="<results>/trials/{protocol}/{survey}.estimates.csv",
        code=code("synthesise"),
        lock=LOCK,
    output:
        e_values="<results>/trials/{protocol}/{survey}.e_values.csv",
        bias="<results>/trials/{protocol}/{survey}.bias.csv",
        tipping="<results>/trials/{protocol}/{survey}.tipping.csv",
        frontier="<results>/trials/{protocol}/{survey}.frontier.csv",
        influence="<results>/trials/{protocol}/{survey}.influence.csv",
    log:
        "<results>/logs/doubt/{protocol}/{survey}.log",
    conda:
        "../../environment.yml"
    params:
        declaration=lambda wildcards: declared(
            protocol=wildcards.protocol,
            survey=wildcards.survey,
            part="design",
            effect=True,
        ),
    script:
        "../scripts/doubt.py"


rule explore:
    """One job's share of the specifications of a trial's multiverse, each under the same bootstrap draws."""
    input:
        people="<results>/harmonised/{survey}.parquet",
        code=code("trials"),
        lock=LOCK,
    output:
        specifications="<results>/trials/{protocol}/{survey}.specifications.{part}.parquet",
        draws="<results>/trials/{protocol}/{survey}.draws.{part}.parquet",
    log:
        "<results>/logs/explore/{protocol}/{survey}.{part}.log",
    conda:
        "../../environment.yml"
    params:
        declaration=lambda wildcards: declared(
            protocol=wildcards.protocol, survey=wildcards.survey, part="design"
        ),
    script:
        "../scripts/explore.py"


rule multiverse:
    """All specifications of a trial together, and what they say together."""
    input:
        specifications=explored("specifications"),
        draws=explored("draws"),
        code=code("synthesise"),
        lock=LOCK,
    output:
        multiverse="<results>/trials/{protocol}/{survey}.multiverse.csv",
        tests="<results>/trials/{protocol}/{survey}.multiverse_tests.csv",
    log:
        "<results>/logs/multiverse/{protocol}/{survey}.log",
    conda:
        "../../environment.yml"
    script:
        "../scripts/multiverse.py"


rule go_through:
    """Effects through what a trial declares, such as remission, and the four groups, which are a description."""
    input:
        people="<results>/harmonised/{survey}.parquet",
        code=code("trials"),
        lock=LOCK,
    output:
        through="<results>/trials/{protocol}/{survey}.through.csv",
        groups="<results>/trials/{protocol}/{survey}.four_groups.csv",
        flow="<results>/trials/{protocol}/{survey}.through_flow.csv",
    log:
        "<results>/logs/through/{protocol}/{survey}.log",
    conda:
        "../../environment.yml"
    params:
        declaration=lambda wildcards: declared(
            protocol=wildcards.protocol, survey=wildcards.survey, part="design"
        ),
    script:
        "../scripts/go_through.py"


rule go_in_sequence:
    """The trial begun anew at each interview, by every declared strategy, with curves."""
    input:
        people="<results>/harmonised/{survey}.parquet",
        code=code("trials"),
        lock=LOCK,
    output:
        contrasts="<results>/trials/{protocol}/{survey}.sequence.csv",
        curves="<results>/trials/{protocol}/{survey}.sequence_curves.csv",
        counts="<results>/trials/{protocol}/{survey}.sequence_counts.csv",
    log:
        "<results>/logs/sequence/{protocol}/{survey}.log",
    conda:
        "../../environment.yml"
    params:
        declaration=lambda wildcards: declared(
            protocol=wildcards.protocol, survey=wildcards.survey, part="design"
        ),
    script:
        "../scripts/go_in_sequence.py"


rule go_by_round:
    """The declared analysis of the outcome by the end of each round of the follow-up, with one hazard ratio."""
    input:
        people="<results>/harmonised/{survey}.parquet",
        code=code("trials"),
        lock=LOCK,
    output:
        rounds="<results>/trials/{protocol}/{survey}.rounds.csv",
    log:
        "<results>/logs/rounds/{protocol}/{survey}.log",
    conda:
        "../../environment.yml"
    params:
        declaration=lambda wildcards: declared(
            protocol=wildcards.protocol, survey=wildcards.survey, part="design"
        ),
    script:
        "../scripts/go_by_round.py"


rule audit:
    """A claim's cross-sectional evidence: roles, risks along an amount, or shares."""
    input:
        people="<results>/harmonised/{survey}.parquet",
        code=code("trials"),
        lock=LOCK,
    output:
        findings="<results>/audits/{audit}/{survey}.audits.csv",
        curves="<results>/audits/{audit}/{survey}.doses.csv",
        paths="<results>/audits/{audit}/{survey}.reverse_paths.csv",
    log:
        "<results>/logs/audit/{audit}/{survey}.log",
    conda:
        "../../environment.yml"
    params:
        declaration=lambda wildcards: declared(
            audit=wildcards.audit, survey=wildcards.survey, part="design"
        ),
    script:
        "../scripts/audit.py"


rule associate:
    """Prevalence over groups in a cross-section, crude and standardised."""
    input:
        people="<results>/harmonised/{survey}.parquet",
        code=code("trials"),
        lock=LOCK,
    output:
        estimates="<results>/associations/{association}/{survey}.estimates.csv",
        flow="<results>/associations/{association}/{survey}.flow.csv",
    log:
        "<results>/logs/associate/{association}/{survey}.log",
    conda:
        "../../environment.yml"
    params:
        declaration=lambda wildcards: declared(
            association=wildcards.association, survey=wildcards.survey, part="design"
        ),
    script:
        "../scripts/associate.py"
