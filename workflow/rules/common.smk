import sys
import time

sys.path.insert(0, str(Path(workflow.basedir) / "src"))

from backpain.declared import declared
from backpain.project import code, commit, finish, forget_changed
from backpain.spec import (
    check_run,
    declares,
    imputing_jobs,
    load_study,
    members_of,
    multiverse_jobs,
    workers_of,
)

STARTED = time.time()
RUN = check_run(run)
# The surveys whose files are read: a survey that pools others is made of theirs.
READ = members_of(RUN)
MEMBERS = list(dict.fromkeys(member for found in READ.values() for member in found))
POOLED = [survey for survey in READ if survey not in MEMBERS]
if not RUN.simulated:
    # Survey files are nobody's output, so Snakemake does not watch them: a changed one takes its receipt with it.
    forget_changed(Path("results") / run / "acquired")
LOCK = "requirements.lock"
TABLES = [
    "estimates",
    "flow",
    "diagnostics",
    "balance",
    "overlap",
    "table1",
    "missingness",
    "detectable",
    "panels",
    "heterogeneity",
    "subgroups",
    "e_values",
    "bias",
    "tipping",
    "frontier",
    "influence",
    "audits",
    "doses",
    "reverse_paths",
]
AUDITED = ["audits", "doses", "reverse_paths"]
TABLES += ["truth"] if RUN.simulated else []
# How many jobs share the imputations of each trial; 0 for one that imputes nothing.
IMPUTING = {protocol: imputing_jobs(protocol) for protocol, _ in RUN.trials}
# How many threads share the refits of each trial's replicates.
WORKERS = {protocol: workers_of(protocol) for protocol, _ in RUN.trials}
TABLES += ["convergence", "pooling"] if any(IMPUTING.values()) else []
# How many jobs share the specifications of each trial's multiverse; 0 for one that declares none.
EXPLORING = {protocol: multiverse_jobs(protocol) for protocol, _ in RUN.trials}
MULTIVERSE = ["multiverse", "multiverse_tests"]
TABLES += MULTIVERSE if any(EXPLORING.values()) else []
# The trials that are run on negative controls too.
CONTROLLED = [
    protocol for protocol, _ in RUN.trials if declares(protocol, "calibration")
]
CONTROLS = ["controls", "calibration", "calibrated", "contours"]
TABLES += CONTROLS if CONTROLLED else []
# Which trials declare what treatment acts through.
THROUGH = {protocol: declares(protocol, "through") for protocol, _ in RUN.trials}
THROUGH_TABLES = ["through", "four_groups"]
TABLES += THROUGH_TABLES if any(THROUGH.values()) else []
# Which trials are begun anew at each interview too.
SEQUENCES = [protocol for protocol, _ in RUN.trials if declares(protocol, "sequence")]
SEQUENCE_TABLES = ["sequence", "sequence_curves", "sequence_counts"]
TABLES += SEQUENCE_TABLES if SEQUENCES else []
# Which trials tell in which round of the follow-up the outcome came.
BY_ROUND = [protocol for protocol, _ in RUN.trials if declares(protocol, "by_round")]
TABLES += ["rounds"] if BY_ROUND else []
PER_SURVEY = ["cleaning", "published", "harmonisation"]
TEMPLATE = [
    "report.html.j2",
    "style.css",
    "captions.yaml",
    "checklist.yaml",
    "fonts/source-sans.woff2",
    "fonts/source-serif.woff2",
]


wildcard_constraints:
    survey="[a-z0-9-]+",
    protocol="[a-z0-9-]+",
    association="[a-z0-9-]+",
    audit="[a-z0-9-]+",
    part="[0-9]+",


def one_of(names):
    """A pattern that matches these names alone; none matches nothing."""
    return "|".join(names) or "(?!)"


def associations(pattern):
    """One path for each association and survey of the run."""
    return [
        pattern.format(association=name, survey=survey)
        for name, survey in RUN.associations
    ]


def imputations(kind):
    """What each job imputed for a trial, or how its chains went; nothing for a trial that imputes nothing."""
    return lambda wildcards: [
        f"<results>/trials/{wildcards.protocol}/{wildcards.survey}.{kind}.{part}.parquet"
        for part in range(1, IMPUTING[wildcards.protocol] + 1)
    ]


def explored(kind):
    """What each job found in a trial's multiverse."""
    return lambda wildcards: [
        f"<results>/trials/{wildcards.protocol}/{wildcards.survey}.{kind}.{part}.parquet"
        for part in range(1, EXPLORING[wildcards.protocol] + 1)
    ]


def pieces(kind):
    """The pieces of one result table over all analyses of the run."""
    if kind in PER_SURVEY:
        surveys = MEMBERS if kind == "cleaning" else [*MEMBERS, *POOLED]
        return [f"<results>/{kind}/{survey}.csv" for survey in surveys]
    if kind in AUDITED:
        return [
            f"<results>/audits/{audit}/{survey}.{kind}.csv"
            for audit, survey in RUN.audits
        ]
    found = [
        f"<results>/trials/{protocol}/{survey}.{kind}.csv"
        for protocol, survey in RUN.trials
        if (kind not in MULTIVERSE or EXPLORING[protocol])
        and (kind not in CONTROLS or protocol in CONTROLLED)
        and (kind not in THROUGH_TABLES or THROUGH[protocol])
        and (kind not in SEQUENCE_TABLES or protocol in SEQUENCES)
        and (kind != "rounds" or protocol in BY_ROUND)
    ]
    if kind == "flow":
        found += [
            f"<results>/trials/{protocol}/{survey}.through_flow.csv"
            for protocol, survey in RUN.trials
            if THROUGH[protocol]
        ]
    if kind in ("estimates", "flow"):
        found += associations(
            f"<results>/associations/{{association}}/{{survey}}.{kind}.csv"
        )
    return found


def tables():
    """Every result table by its name."""
    kinds = [*TABLES, *PER_SURVEY, "claims", "thresholds"]
    return {kind: f"<results>/{kind}.csv" for kind in kinds}


def study_parts(wildcards):
    """The repetitions of every scenario of a study, in as many jobs as it declares."""
    study = load_study(wildcards.study)
    return [
        f"results/studies/{study.name}/{place}.{part}.parquet"
        for place in range(len(study.scenarios))
        for part in range(1, study.jobs + 1)
    ] + [
        f"results/studies/{study.name}/{place}.{part}.refitted.parquet"
        for place, scenario in enumerate(study.scenarios)
        for part in range(1, study.jobs + 1)
        if study.refitted is not None and scenario in study.refitted.scenarios
    ]


def study_truths(wildcards):
    """The truth of every scenario of a study."""
    count = len(load_study(wildcards.study).scenarios)
    return [
        f"results/studies/{wildcards.study}/{place}.truth.csv" for place in range(count)
    ]
