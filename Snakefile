"""Does treating depression prevent back pain? From raw survey files to a reviewer's report."""

from snakemake.utils import min_version

min_version("9.27")


run = config.get("run", "demo")


configfile: f"config/{run}.yaml"


pathvars:
    results=f"results/{run}",


include: "workflow/rules/common.smk"
include: "workflow/rules/simulate.smk" if RUN.simulated else "workflow/rules/acquire.smk"
include: "workflow/rules/prepare.smk"
include: "workflow/rules/analyse.smk"
include: "workflow/rules/present.smk"
include: "workflow/rules/study.smk"


rule all:
    """Everything a run makes: the page, the tables beside it, the notebook and the crate that tells of them."""
    default_target: True
    input:
        "<results>/report.html",
        "<results>/headline.txt",
        "<results>/notebooks/walk-through.html",
        "<results>/ro-crate-metadata.json",


onsuccess:
    finish(run, STARTED)
