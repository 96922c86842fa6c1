import pandas as pd

from backpain.job import csv, die_with_parent
from backpain.spec import load_protocol, load_survey
from backpain.trials import sequence_trial

die_with_parent()
protocol, survey = load_protocol(snakemake.wildcards.protocol), load_survey(snakemake.wildcards.survey)

contrasts, curves, counts = sequence_trial(pd.read_parquet(snakemake.input.people), protocol, survey)

csv(contrasts, snakemake.output.contrasts)
csv(curves, snakemake.output.curves)
csv(counts, snakemake.output.counts)
