"""Multiple imputation under the sampling design, and missing data as a declared choice."""

from backpain.impute.plan import ImputationPlan
from backpain.impute.result import Imputations, completed, gather, r_hat
from backpain.impute.run import impute
from backpain.impute.variables import levels_of

__all__ = [
    "ImputationPlan",
    "Imputations",
    "completed",
    "gather",
    "impute",
    "levels_of",
    "r_hat",
]
