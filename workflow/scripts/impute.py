import pandas as pd

from backpain.job import die_with_parent, parquet
from backpain.spec import load_protocol, load_survey
from backpain.trials import impute_trial

die_with_parent()
protocol, survey = load_protocol(snakemake.wildcards.protocol), load_survey(snakemake.wildcards.survey)
participants = pd.read_parquet(snakemake.input.participants)

values, trace = impute_trial(participants, protocol, survey, int(snakemake.wildcards.part))

parquet(values, snakemake.output.values)
parquet(trace, snakemake.output.trace)
