import pandas as pd

from backpain.cohort import emulate
from backpain.job import csv, die_with_parent, parquet
from backpain.spec import load_protocol, load_survey

die_with_parent()
protocol, survey = load_protocol(snakemake.wildcards.protocol), load_survey(snakemake.wildcards.survey)

trial = emulate(pd.read_parquet(snakemake.input.people), protocol, survey)

parquet(trial.participants, snakemake.output.participants)
parquet(trial.skeleton, snakemake.output.skeleton)
csv(trial.flow, snakemake.output.flow)
