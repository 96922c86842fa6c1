import json

from backpain.crate import crate
from backpain.facts import checksums, versions
from backpain.job import die_with_parent, finished
from backpain.provenance import steps_to
from backpain.spec import load_run

die_with_parent()
run = snakemake.params.run
published = [*snakemake.input.published]
steps = steps_to([*published, *snakemake.input.receipts])
made = crate(load_run(run), run, steps, published, checksums(snakemake.input.receipts), versions())

with finished(snakemake.output.crate) as path:
    path.write_text(json.dumps(made, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
