"""The sampling design: strata, PSUs, weights and domains, and the variance of anything linear.

Variances are Taylor-linearised and treat PSUs as drawn with replacement within strata (Binder 1983, Int Stat
Rev 51:279). A domain is never cut out of its survey: PSUs without a member count, with a total of zero.
"""

from backpain.design.proportions import (
    INTERVALS,
    Presentation,
    beta_interval,
    effective_people,
    korn_graubard,
    logit_interval,
    presentation,
    t_quantile,
)
from backpain.design.sample import LONELY, Design
from backpain.design.totals import Estimate, mean, proportion, ratio, total

__all__ = [
    "INTERVALS",
    "LONELY",
    "Design",
    "Estimate",
    "Presentation",
    "beta_interval",
    "effective_people",
    "korn_graubard",
    "logit_interval",
    "mean",
    "presentation",
    "proportion",
    "ratio",
    "t_quantile",
    "total",
]
