"""What is looked at before an estimate: balance, overlap, weights, missing values, loss; and the gate."""

from backpain.diagnose.checks import PASSED, checks, diagnostics, gate
from backpain.diagnose.describe import loss, missingness, table_one
from backpain.diagnose.differences import balance, product_balance, standardised_difference
from backpain.diagnose.weights import (
    effective_sample_size,
    equipoise,
    overlap,
    overlap_share,
    weight_summary,
    weighted_percentile,
)

__all__ = [
    "PASSED",
    "balance",
    "checks",
    "diagnostics",
    "effective_sample_size",
    "equipoise",
    "gate",
    "loss",
    "missingness",
    "overlap",
    "overlap_share",
    "product_balance",
    "standardised_difference",
    "table_one",
    "weight_summary",
    "weighted_percentile",
]
