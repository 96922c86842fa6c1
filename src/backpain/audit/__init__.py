"""Cross-sectional evidence on claims: two exposures side by side, risks along an amount, shares. None of it is an effect."""

from backpain.audit.dose import CURVE, Amount, dose_response
from backpain.audit.reverse import REVERSE, reverse_paths
from backpain.audit.roles import DIFFERENCE, Exposure, Sides, roles
from backpain.audit.rows import FINDINGS
from backpain.audit.shares import share, trend

__all__ = [
    "CURVE",
    "DIFFERENCE",
    "FINDINGS",
    "REVERSE",
    "Amount",
    "Exposure",
    "Sides",
    "dose_response",
    "reverse_paths",
    "roles",
    "share",
    "trend",
]
