"""Model matrices from declared terms, and logistic regression for weighted samples.

Whoever uses a fit needs its influence function: how much each person moves each coefficient. It comes from
the score and the information at the converged fit (Binder 1983, Int Stat Rev 51:279), as in R's `svyglm`.
"""

from backpain.regression.logistic import Logistic, logistic
from backpain.regression.many import Batch, Block, Extra, Many, logistic_many, probability
from backpain.regression.survey import DEGREES, survey_logistic
from backpain.regression.terms import (
    FORMS,
    INTERCEPT,
    Coding,
    Term,
    coding_of,
    counterfactual,
    design_matrix,
)

__all__ = [
    "DEGREES",
    "FORMS",
    "INTERCEPT",
    "Batch",
    "Block",
    "Coding",
    "Extra",
    "Logistic",
    "Many",
    "Term",
    "coding_of",
    "counterfactual",
    "design_matrix",
    "logistic",
    "logistic_many",
    "probability",
    "survey_logistic",
]
