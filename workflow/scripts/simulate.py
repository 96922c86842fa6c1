from pathlib import Path

from backpain.job import die_with_parent, finished
from backpain.receipts import simulated_receipts, write_receipts
from backpain.simulate import simulate, write_raw
from backpain.spec import load_survey, load_variables

die_with_parent()
survey = load_survey(snakemake.wildcards.survey)

world = simulate(survey, load_variables(), snakemake.params.people, snakemake.params.seed)

with finished(snakemake.output.raw, directory=True) as folder:
    write_raw(world.tables, survey, folder)
write_receipts(simulated_receipts(survey, Path(snakemake.output.raw)), snakemake.output.receipt)
