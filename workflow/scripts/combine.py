from backpain.collect import collect
from backpain.job import csv, die_with_parent

die_with_parent()
named = dict(snakemake.input.items())
found = {kind: named.get(kind, []) for kind in snakemake.params.kinds}
pieces = {kind: [paths] if isinstance(paths, str) else list(paths) for kind, paths in found.items()}

for name, table in collect(snakemake.params.run, pieces).items():
    csv(table, snakemake.output[name])
