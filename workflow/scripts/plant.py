from backpain.job import csv, die_with_parent
from backpain.simulate import truth
from backpain.spec import load_protocol, load_survey

die_with_parent()
protocol, survey = load_protocol(snakemake.wildcards.protocol), load_survey(snakemake.wildcards.survey)

csv(truth(survey, protocol, snakemake.params.seed), snakemake.output.truth)
