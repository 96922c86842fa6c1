"""Carries every variation of a trial from missing values to its estimates, and an association through its own."""

from backpain.trials.associating import associate_survey
from backpain.trials.diagnosing import Diagnosis, diagnose_trial
from backpain.trials.estimating import POOLING, estimate_trial
from backpain.trials.missing import CONVERGENCE, convergence, impute_trial, joined
from backpain.trials.multiverse import DRAWS, SPECIFICATION, explore
from backpain.trials.panels import PANELS, panel_estimates
from backpain.trials.scope import DESCRIPTION, ESTIMATES
from backpain.trials.through import through_trial

__all__ = [
    "CONVERGENCE",
    "DESCRIPTION",
    "DRAWS",
    "ESTIMATES",
    "PANELS",
    "POOLING",
    "SPECIFICATION",
    "Diagnosis",
    "associate_survey",
    "convergence",
    "diagnose_trial",
    "estimate_trial",
    "explore",
    "impute_trial",
    "joined",
    "panel_estimates",
    "through_trial",
]
