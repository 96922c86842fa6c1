from backpain.job import die_with_parent, finished
from backpain.notebook import execute

die_with_parent()

page = execute(snakemake.input.notebook, {"BACKPAIN_RUN": snakemake.params.run})

with finished(snakemake.output.page) as path:
    path.write_text(page, encoding="utf-8")
