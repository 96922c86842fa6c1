"""Risks, differences and ratios of a trial or an association, with design-based standard errors.

Every standard error comes from the estimate's influence function, totalled over the design (Binder 1983, Int
Stat Rev 51:279), and that function includes what estimating the propensity, retention and outcome models adds
or takes (stacked estimating equations: Stefanski and Boos 2002, Am Stat 56:29).
"""

from backpain.estimate.association import associate
from backpain.estimate.estimators import Found
from backpain.estimate.replicates import Refits
from backpain.estimate.rows import COLUMNS, minimal_detectable_difference
from backpain.estimate.trial import ESTIMATORS, REFITTED, USUAL, Sample, estimate, without_numbers

__all__ = [
    "COLUMNS",
    "ESTIMATORS",
    "REFITTED",
    "USUAL",
    "Found",
    "Refits",
    "Sample",
    "associate",
    "estimate",
    "minimal_detectable_difference",
    "without_numbers",
]
