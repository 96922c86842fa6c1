from pathlib import Path

import pandas as pd

from backpain.harmonise import matrix, pool, published
from backpain.job import csv, die_with_parent, parquet
from backpain.spec import load_survey, load_variables

die_with_parent()
survey, variables = load_survey(snakemake.wildcards.survey), load_variables()
frames = {Path(path).stem: pd.read_parquet(path) for path in snakemake.input.people}

people = pool(frames, survey, {name: load_survey(name) for name in frames})

parquet(people, snakemake.output.people)
csv(published({}, people, survey), snakemake.output.published)
csv(matrix(survey, variables), snakemake.output.matrix)
