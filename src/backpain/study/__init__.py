"""A simulation study of the estimators: people are made up, the truth is known, and every estimator is held to its own."""

from backpain.study.performance import BAND, PERFORMANCE, VERDICT, correct, performance, verdict
from backpain.study.repeat import LINEARISED, REFITTED, REPETITIONS, repetitions
from backpain.study.truth import TRUTH, truths
from backpain.study.world import TERMS, draw

__all__ = [
    "BAND",
    "LINEARISED",
    "PERFORMANCE",
    "REFITTED",
    "REPETITIONS",
    "TERMS",
    "TRUTH",
    "VERDICT",
    "correct",
    "draw",
    "performance",
    "repetitions",
    "truths",
    "verdict",
]
