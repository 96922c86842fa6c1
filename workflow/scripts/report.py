from pathlib import Path

from backpain.facts import facts_of, read_results
from backpain.job import die_with_parent, finished
from backpain.report import headline, render

die_with_parent()
results = read_results(snakemake.input)
facts = facts_of(snakemake.config["run"], results, snakemake.input.receipts)
figures = {path.stem: path.read_text() for folder in snakemake.input.figures for path in Path(folder).glob("*.svg")}

with finished(snakemake.output.page) as page:
    page.write_text(render(results, figures, facts, Path("workflow/report")), encoding="utf-8")
with finished(snakemake.output.headline) as text:
    text.write_text(headline(results, facts, snakemake.output.page), encoding="utf-8")
