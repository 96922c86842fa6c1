from backpain.job import die_with_parent, parquet
from backpain.spec import load_study
from backpain.study import REFITTED, repetitions

die_with_parent()
study = load_study(snakemake.wildcards.study)
scenario = list(study.scenarios)[int(snakemake.wildcards.place)]

parquet(repetitions(study, scenario, int(snakemake.wildcards.part), REFITTED), snakemake.output.found)
