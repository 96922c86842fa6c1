import pandas as pd

from backpain.cohort import skeleton
from backpain.job import csv, die_with_parent
from backpain.spec import load_audit, load_survey
from backpain.trials import audit_survey

die_with_parent()
audit, survey = load_audit(snakemake.wildcards.audit), load_survey(snakemake.wildcards.survey)
people = pd.read_parquet(snakemake.input.people)

findings, curves, paths = audit_survey(people, skeleton(people, survey), audit, survey)

csv(findings, snakemake.output.findings)
csv(curves, snakemake.output.curves)
csv(paths, snakemake.output.paths)
