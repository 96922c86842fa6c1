from pathlib import Path

from backpain.acquire import acquire
from backpain.check import mirrors
from backpain.ingest import wanted
from backpain.job import die_with_parent
from backpain.receipts import write_receipts
from backpain.spec import load_survey

die_with_parent()

found = acquire(wanted(load_survey(snakemake.wildcards.survey)), raw=Path("data/raw"), mirrors=mirrors())

write_receipts(found, snakemake.output.receipt)
