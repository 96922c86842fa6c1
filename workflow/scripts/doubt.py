import pandas as pd

from backpain.collect import read
from backpain.job import csv, die_with_parent
from backpain.spec import load_protocol, load_survey
from backpain.synthesise import doubts

die_with_parent()
protocol, survey = load_protocol(snakemake.wildcards.protocol), load_survey(snakemake.wildcards.survey)
participants, skeleton = (pd.read_parquet(snakemake.input[name]) for name in ("participants", "skeleton"))
estimates = read(snakemake.input.estimates)

for name, table in doubts(participants, skeleton, estimates, protocol, survey).items():
    csv(table, snakemake.output[name])
