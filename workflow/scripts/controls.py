import pandas as pd

from backpain.collect import read
from backpain.job import csv, die_with_parent
from backpain.spec import load_protocol, load_survey
from backpain.synthesise import calibration
from backpain.trials import run_controls

die_with_parent()
protocol, survey = load_protocol(snakemake.wildcards.protocol), load_survey(snakemake.wildcards.survey)
people, estimates = pd.read_parquet(snakemake.input.people), read(snakemake.input.estimates)

controls, profiles = run_controls(people, protocol, survey)

for name, table in calibration(controls, profiles, estimates, protocol).items():
    csv(table, snakemake.output[name])
