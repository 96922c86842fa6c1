from pathlib import Path

import pandas as pd

from backpain.job import csv, die_with_parent, finished
from backpain.report import render_study
from backpain.spec import load_study
from backpain.study import performance, verdict

die_with_parent()
study = load_study(snakemake.wildcards.study)
found = pd.concat(map(pd.read_parquet, snakemake.input.found), ignore_index=True)
truth = pd.concat(map(pd.read_csv, snakemake.input.truth), ignore_index=True)

table = performance(study, found, truth)
told = verdict(table)

csv(table, snakemake.output.performance)
csv(told, snakemake.output.verdict)
csv(truth, snakemake.output.truth)
with finished(snakemake.output.page) as page:
    page.write_text(
        render_study(study, table, told, snakemake.params.commit, Path("workflow/report")), encoding="utf-8"
    )
