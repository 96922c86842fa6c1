"""Cross-sectional evidence on claims: two exposures side by side, risks along an amount, shares, ages at onset.

None of it is an effect.
"""

from backpain.audit.dose import CURVE, Amount, dose_response
from backpain.audit.onset import BEFORE, NEVER, ON, UNTREATED, WITH, WITHOUT, Ages, backwards
from backpain.audit.reverse import REVERSE, reverse_paths
from backpain.audit.roles import DIFFERENCE, Exposure, Sides, roles
from backpain.audit.rows import FINDINGS
from backpain.audit.shares import share, trend

__all__ = [
    "BEFORE",
    "CURVE",
    "DIFFERENCE",
    "FINDINGS",
    "NEVER",
    "ON",
    "REVERSE",
    "UNTREATED",
    "WITH",
    "WITHOUT",
    "Ages",
    "Amount",
    "Exposure",
    "Sides",
    "backwards",
    "dose_response",
    "reverse_paths",
    "roles",
    "share",
    "trend",
]
