"""How wrong would the data have to be: confounders nobody measured, answers misclassified, people lost, one panel's pull.

Nothing here corrects an estimate. Each says what would have to be true for the conclusion to change.
"""

from backpain.sensitivity.bias import BIAS, SamplingError, bias_analysis
from backpain.sensitivity.biases import (
    Bias,
    Cells,
    MisclassifiedOutcome,
    MisclassifiedTreatment,
    Selection,
    UnmeasuredConfounder,
    table_of,
)
from backpain.sensitivity.e_values import (
    COMMON,
    E_VALUES,
    EValue,
    TwoRisks,
    e_value,
    e_values,
    of_hazard_ratio,
    of_odds_ratio,
    of_risk_difference,
    of_risk_ratio,
    of_standardised_difference,
)
from backpain.sensitivity.priors import Prior

__all__ = [
    "BIAS",
    "COMMON",
    "E_VALUES",
    "Bias",
    "Cells",
    "EValue",
    "MisclassifiedOutcome",
    "MisclassifiedTreatment",
    "Prior",
    "SamplingError",
    "Selection",
    "TwoRisks",
    "UnmeasuredConfounder",
    "bias_analysis",
    "e_value",
    "e_values",
    "of_hazard_ratio",
    "of_odds_ratio",
    "of_risk_difference",
    "of_risk_ratio",
    "of_standardised_difference",
    "table_of",
]
