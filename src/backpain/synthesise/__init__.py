"""What the estimates say of each claim, and what others have found, set beside them and never pooled."""

from backpain.synthesise.beside import EVIDENCE, evidence
from backpain.synthesise.calibration import ADJUSTED, CONTOURS, NULL, calibration
from backpain.synthesise.doubts import TABLES, doubts
from backpain.synthesise.heterogeneity import HETEROGENEITY, RandomEffects, heterogeneity, random_effects
from backpain.synthesise.multiverse import TESTS, joint_tests
from backpain.synthesise.verdicts import (
    CLAIMS,
    CONTRADICTED,
    INCONCLUSIVE,
    NOT_TESTED,
    SUPPORTED,
    THRESHOLDS,
    claims,
    thresholds,
    verdict,
    words,
)

__all__ = [
    "ADJUSTED",
    "CLAIMS",
    "CONTOURS",
    "CONTRADICTED",
    "EVIDENCE",
    "HETEROGENEITY",
    "INCONCLUSIVE",
    "NOT_TESTED",
    "NULL",
    "SUPPORTED",
    "TABLES",
    "TESTS",
    "THRESHOLDS",
    "RandomEffects",
    "calibration",
    "claims",
    "doubts",
    "evidence",
    "heterogeneity",
    "joint_tests",
    "random_effects",
    "thresholds",
    "verdict",
    "words",
]
