"""How wrong would the data have to be: confounders nobody measured, answers misclassified, people lost, one panel's pull.

Nothing here corrects an estimate. Each says what would have to be true for the conclusion to change.
"""

from backpain.sensitivity.bias import BIAS, PriorsContradictedError, SamplingError, bias_analysis
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
from backpain.sensitivity.leave_one_out import INFLUENCE, leave_one_panel_out
from backpain.sensitivity.priors import Prior
from backpain.sensitivity.tipping import FRONTIER, GRID, Followed, contrast, extremes, frontier, tipping_grid

__all__ = [
    "BIAS",
    "COMMON",
    "E_VALUES",
    "FRONTIER",
    "GRID",
    "INFLUENCE",
    "Bias",
    "Cells",
    "EValue",
    "Followed",
    "MisclassifiedOutcome",
    "MisclassifiedTreatment",
    "Prior",
    "PriorsContradictedError",
    "SamplingError",
    "Selection",
    "TwoRisks",
    "UnmeasuredConfounder",
    "bias_analysis",
    "contrast",
    "e_value",
    "e_values",
    "extremes",
    "frontier",
    "leave_one_panel_out",
    "of_hazard_ratio",
    "of_odds_ratio",
    "of_risk_difference",
    "of_risk_ratio",
    "of_standardised_difference",
    "table_of",
    "tipping_grid",
]
