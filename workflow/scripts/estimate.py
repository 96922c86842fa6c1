import pandas as pd

from backpain.job import csv, die_with_parent
from backpain.spec import load_protocol, load_survey
from backpain.trials import convergence, estimate_trial, joined

die_with_parent()
protocol, survey = load_protocol(snakemake.wildcards.protocol), load_survey(snakemake.wildcards.survey)
participants, skeleton = (pd.read_parquet(snakemake.input[name]) for name in ("participants", "skeleton"))
values, trace = (joined(map(pd.read_parquet, snakemake.input[name])) for name in ("values", "trace"))
checks = pd.read_csv(snakemake.input.diagnostics)

estimates, detectable, pooling = estimate_trial(participants, skeleton, checks, protocol, survey, values)

csv(estimates, snakemake.output.estimates)
csv(detectable, snakemake.output.detectable)
csv(pooling, snakemake.output.pooling)
csv(convergence(trace), snakemake.output.convergence)
