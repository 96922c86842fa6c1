"""How wrong would the data have to be: confounders nobody measured, answers misclassified, people lost, one panel's pull.

Nothing here corrects an estimate. Each says what would have to be true for the conclusion to change.
"""

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

__all__ = [
    "COMMON",
    "E_VALUES",
    "EValue",
    "TwoRisks",
    "e_value",
    "e_values",
    "of_hazard_ratio",
    "of_odds_ratio",
    "of_risk_difference",
    "of_risk_ratio",
    "of_standardised_difference",
]
