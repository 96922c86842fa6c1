import pandas as pd

from backpain.job import csv, die_with_parent
from backpain.spec import load_protocol, load_survey
from backpain.trials import by_round

die_with_parent()
protocol, survey = load_protocol(snakemake.wildcards.protocol), load_survey(snakemake.wildcards.survey)

csv(by_round(pd.read_parquet(snakemake.input.people), protocol, survey), snakemake.output.rounds)
