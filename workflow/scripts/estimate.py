import pandas as pd

from backpain.job import csv, die_with_parent
from backpain.spec import load_protocol, load_survey
from backpain.trials import estimate_trial

die_with_parent()
protocol, survey = load_protocol(snakemake.wildcards.protocol), load_survey(snakemake.wildcards.survey)
participants, skeleton = (pd.read_parquet(snakemake.input[name]) for name in ("participants", "skeleton"))
checks = pd.read_csv(snakemake.input.diagnostics)

estimates, detectable = estimate_trial(participants, skeleton, checks, protocol, survey)

csv(estimates, snakemake.output.estimates)
csv(detectable, snakemake.output.detectable)
