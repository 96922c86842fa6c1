from pathlib import Path

from backpain.collect import read_results
from backpain.facts import facts_of
from backpain.job import die_with_parent, finished
from backpain.report import headline, render

die_with_parent()
results = read_results(dict(snakemake.input.items()))
facts = facts_of(snakemake.params.run, results["claims"], snakemake.input.receipts)
drawn = [path for folder in snakemake.input.figures for path in sorted(Path(folder).glob("*.svg"))]
figures = {path.stem: path.read_text(encoding="utf-8") for path in drawn}

with finished(snakemake.output.page) as page:
    page.write_text(render(results, figures, facts, Path("workflow/report")), encoding="utf-8")
with finished(snakemake.output.headline) as text:
    text.write_text(headline(results, facts), encoding="utf-8")
