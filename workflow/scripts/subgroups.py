import pandas as pd

from backpain.job import csv, die_with_parent
from backpain.spec import load_protocol, load_survey, load_variables
from backpain.trials import subgroup_estimates

die_with_parent()
protocol, survey = load_protocol(snakemake.wildcards.protocol), load_survey(snakemake.wildcards.survey)
participants, skeleton = (pd.read_parquet(snakemake.input[name]) for name in ("participants", "skeleton"))

csv(subgroup_estimates(participants, skeleton, protocol, survey, load_variables()), snakemake.output.subgroups)
