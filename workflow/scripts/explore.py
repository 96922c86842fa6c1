import pandas as pd

from backpain.job import die_with_parent, parquet
from backpain.spec import load_protocol, load_survey
from backpain.trials import explore

die_with_parent()
protocol, survey = load_protocol(snakemake.wildcards.protocol), load_survey(snakemake.wildcards.survey)
people = pd.read_parquet(snakemake.input.people)

specifications, draws = explore(people, protocol, survey, int(snakemake.wildcards.part))

parquet(specifications, snakemake.output.specifications)
parquet(draws, snakemake.output.draws)
