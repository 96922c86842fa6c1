import pandas as pd

from backpain.job import csv, die_with_parent
from backpain.spec import load_protocol, load_survey
from backpain.synthesise import heterogeneity
from backpain.trials import panel_estimates

die_with_parent()
protocol, survey = load_protocol(snakemake.wildcards.protocol), load_survey(snakemake.wildcards.survey)
participants, skeleton = (pd.read_parquet(snakemake.input[name]) for name in ("participants", "skeleton"))

panels, covariance = panel_estimates(participants, skeleton, protocol, survey)

csv(panels, snakemake.output.panels)
csv(heterogeneity(panels, covariance), snakemake.output.heterogeneity)
