import pandas as pd

from backpain.job import csv, die_with_parent
from backpain.spec import load_protocol, load_survey
from backpain.trials import through_trial

die_with_parent()
protocol, survey = load_protocol(snakemake.wildcards.protocol), load_survey(snakemake.wildcards.survey)

effects, groups, flow = through_trial(pd.read_parquet(snakemake.input.people), protocol, survey)

csv(effects, snakemake.output.through)
csv(groups, snakemake.output.groups)
csv(flow, snakemake.output.flow)
