from backpain.collect import collect
from backpain.job import csv, die_with_parent

die_with_parent()
named = dict(snakemake.input.items())
pieces = {kind: [named[kind]] if isinstance(named[kind], str) else list(named[kind]) for kind in snakemake.params.kinds}

for name, table in collect(snakemake.params.run, pieces).items():
    csv(table, snakemake.output[name])
