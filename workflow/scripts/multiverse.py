import pandas as pd

from backpain.job import csv, die_with_parent
from backpain.synthesise import joint_tests

die_with_parent()
specifications, draws = (
    pd.concat(map(pd.read_parquet, snakemake.input[name]), ignore_index=True) for name in ("specifications", "draws")
)

csv(specifications.sort_values(["scale", "specification"]), snakemake.output.multiverse)
csv(joint_tests(specifications, draws), snakemake.output.tests)
