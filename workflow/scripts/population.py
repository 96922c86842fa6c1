from backpain.job import csv, die_with_parent
from backpain.spec import load_study
from backpain.study import truths

die_with_parent()
study, place = load_study(snakemake.wildcards.study), int(snakemake.wildcards.place)
scenario = list(study.scenarios)[place]

csv(truths(scenario, study.scenario(scenario), study.truth_people, study.seed + place), snakemake.output.truth)
