import pandas as pd

from backpain.job import csv, die_with_parent
from backpain.spec import load_protocol, load_survey
from backpain.trials import diagnose_trial, joined

die_with_parent()
protocol, survey = load_protocol(snakemake.wildcards.protocol), load_survey(snakemake.wildcards.survey)
participants, skeleton = (pd.read_parquet(snakemake.input[name]) for name in ("participants", "skeleton"))
values = joined(map(pd.read_parquet, snakemake.input["values"]))

found = diagnose_trial(participants, skeleton, protocol, survey, values)

for name in ("diagnostics", "balance", "overlap", "table1", "missingness"):
    csv(getattr(found, name), snakemake.output[name])
