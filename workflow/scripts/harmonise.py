from pathlib import Path

import pandas as pd

from backpain.harmonise import harmonise, matrix, published
from backpain.job import csv, die_with_parent, parquet
from backpain.spec import load_survey, load_variables

die_with_parent()
survey, variables = load_survey(snakemake.wildcards.survey), load_variables()
tables = {path.stem: pd.read_parquet(path) for path in sorted(Path(snakemake.input.tables).glob("*.parquet"))}

people = harmonise(tables, survey, variables).people

parquet(people, snakemake.output.people)
csv(published(tables, people, survey), snakemake.output.published)
csv(matrix(survey, variables), snakemake.output.matrix)
