from importlib import import_module

from backpain.collect import read_results
from backpain.facts import facts_of
from backpain.figures.style import save
from backpain.job import die_with_parent, finished

die_with_parent()
results = read_results(dict(snakemake.input.items()))
facts = facts_of(snakemake.params.run, results["claims"], [])

figures = import_module(f"backpain.figures.{snakemake.wildcards.kind}").draw(results, facts)

with finished(snakemake.output.folder, directory=True) as folder:
    for name, figure in figures.items():
        save(figure, folder / f"{name}.svg")
