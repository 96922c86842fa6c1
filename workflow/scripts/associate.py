import pandas as pd

from backpain.cohort import domain_of, skeleton
from backpain.job import csv, die_with_parent
from backpain.spec import load_association, load_survey
from backpain.trials import associate_survey

die_with_parent()
association, survey = (
    load_association(snakemake.wildcards.association),
    load_survey(snakemake.wildcards.survey),
)
people = pd.read_parquet(snakemake.input.people)

marked, flow = domain_of(people, association, survey)

csv(associate_survey(marked, skeleton(people, survey), association, survey), snakemake.output.estimates)
csv(flow, snakemake.output.flow)
