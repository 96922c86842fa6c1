"""The sampling design: stages, strata, PSUs, weights, replicates and domains, and the variance of what they give.

Variances are Taylor-linearised over PSUs drawn with replacement within strata (Binder 1983, Int Stat Rev 51:279),
over several stages and finite populations where they are declared, or by replicate weights. A domain is never cut
out of its survey: PSUs without a member count, with a total of zero.
"""

from backpain.design.domains import Domains, Estimate
from backpain.design.independence import RaoScott, rao_scott
from backpain.design.proportions import (
    INTERVALS,
    Presentation,
    beta_interval,
    effective_people,
    korn_graubard,
    korn_graubard_unadjusted,
    logit_interval,
    presentation,
    t_quantile,
)
from backpain.design.quantiles import RULES, quantiles
from backpain.design.replicates import Replicated, given
from backpain.design.resampling import KINDS, replicated
from backpain.design.sample import LONELY, Design, Drawn
from backpain.design.stages import grouped
from backpain.design.totals import distribution, mean, means, proportion, proportions, ratio, standardised, total
from backpain.design.variance import Sampling, variance

__all__ = [
    "INTERVALS",
    "KINDS",
    "LONELY",
    "RULES",
    "Design",
    "Domains",
    "Drawn",
    "Estimate",
    "Presentation",
    "RaoScott",
    "Replicated",
    "Sampling",
    "beta_interval",
    "distribution",
    "effective_people",
    "given",
    "grouped",
    "korn_graubard",
    "korn_graubard_unadjusted",
    "logit_interval",
    "mean",
    "means",
    "presentation",
    "proportion",
    "proportions",
    "quantiles",
    "rao_scott",
    "ratio",
    "replicated",
    "standardised",
    "t_quantile",
    "total",
    "variance",
]
