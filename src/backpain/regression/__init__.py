"""Regression of weighted samples: model matrices, fits of every family, their design-based variance and tests.

Whoever uses a fit needs its influence function: how much each person moves each coefficient. It comes from
the score and the information at the converged fit (Binder 1983, Int Stat Rev 51:279), as in R's `svyglm`.
"""

from backpain.regression.average import Average, average
from backpain.regression.comparison import Comparison
from backpain.regression.families import SINGLE
from backpain.regression.fit import ENGINES, INFORMATION, Fit, fit
from backpain.regression.forms import FORMS
from backpain.regression.logistic import Logistic, logistic
from backpain.regression.many import Batch, Block, Extra, Many, logistic_many, probability
from backpain.regression.mixture import saddlepoint, satterthwaite
from backpain.regression.outcomes import FAMILIES
from backpain.regression.result import DEGREES, Regression
from backpain.regression.survey import survey_regression
from backpain.regression.terms import (
    INTERCEPT,
    Coding,
    Term,
    coding_of,
    counterfactual,
    design_matrix,
)

__all__ = [
    "DEGREES",
    "ENGINES",
    "FAMILIES",
    "FORMS",
    "INFORMATION",
    "INTERCEPT",
    "SINGLE",
    "Average",
    "Batch",
    "Block",
    "Coding",
    "Comparison",
    "Extra",
    "Fit",
    "Logistic",
    "Many",
    "Regression",
    "Term",
    "average",
    "coding_of",
    "counterfactual",
    "design_matrix",
    "fit",
    "logistic",
    "logistic_many",
    "probability",
    "saddlepoint",
    "satterthwaite",
    "survey_regression",
]
