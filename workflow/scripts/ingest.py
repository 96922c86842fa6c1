from backpain.clean import clean
from backpain.ingest import ingest
from backpain.job import csv, die_with_parent, finished, parquet
from backpain.receipts import paths
from backpain.spec import load_survey

die_with_parent()
survey = load_survey(snakemake.wildcards.survey)

tables, cleaning = clean(ingest(survey, paths(snakemake.input.receipt)), survey)

with finished(snakemake.output.tables, directory=True) as folder:
    for name, table in tables.items():
        parquet(table, folder / f"{name}.parquet")
csv(cleaning, snakemake.output.cleaning)
