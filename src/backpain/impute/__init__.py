"""Multiple imputation under the sampling design, and missing data as a declared choice.

Gaps are filled by chained equations (van Buuren 2018, Flexible Imputation of Missing Data), the estimates from each
completed set are pooled by Rubin's rules with the design's degrees of freedom, and the other ways with missing data,
complete cases and complete cases weighted, stand beside.
"""

from backpain.impute.plan import AUGMENT, DESIGN_EFFECTS, METHODS, PANELS, WEIGHT_FORMS, ImputationPlan
from backpain.impute.pool import SCALES, Pooled, barnard_rubin, imputations_needed, pool
from backpain.impute.result import Imputations, completed, gather, r_hat
from backpain.impute.run import impute
from backpain.impute.variables import levels_of
from backpain.impute.wald import WaldTest, pool_wald
from backpain.impute.ways import WAYS, CompleteCases, ResponseWeights, complete_cases, response_weights

__all__ = [
    "AUGMENT",
    "DESIGN_EFFECTS",
    "METHODS",
    "PANELS",
    "SCALES",
    "WAYS",
    "WEIGHT_FORMS",
    "CompleteCases",
    "ImputationPlan",
    "Imputations",
    "Pooled",
    "ResponseWeights",
    "WaldTest",
    "barnard_rubin",
    "complete_cases",
    "completed",
    "gather",
    "imputations_needed",
    "impute",
    "levels_of",
    "pool",
    "pool_wald",
    "r_hat",
    "response_weights",
]
