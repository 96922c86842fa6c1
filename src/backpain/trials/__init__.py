"""Carries every variation of a trial from missing values to its estimates, and an association through its own."""

from backpain.trials.associating import associate_survey
from backpain.trials.auditing import AUDITS, DOSES, PATHS, audit_survey
from backpain.trials.controls import CONTROLS, PROFILE, run_controls
from backpain.trials.diagnosing import Diagnosis, diagnose_trial
from backpain.trials.estimating import POOLING, estimate_trial
from backpain.trials.missing import CONVERGENCE, convergence, impute_trial, joined
from backpain.trials.multiverse import DRAWS, SPECIFICATION, explore
from backpain.trials.panels import PANELS, panel_estimates
from backpain.trials.rounds import ROUNDS, by_round
from backpain.trials.scope import DESCRIPTION, ESTIMATES
from backpain.trials.sequence import sequence_trial
from backpain.trials.subgroups import SUBGROUPS, subgroup_estimates
from backpain.trials.through import through_trial

__all__ = [
    "AUDITS",
    "CONTROLS",
    "CONVERGENCE",
    "DESCRIPTION",
    "DOSES",
    "DRAWS",
    "ESTIMATES",
    "PANELS",
    "PATHS",
    "POOLING",
    "PROFILE",
    "ROUNDS",
    "SPECIFICATION",
    "SUBGROUPS",
    "Diagnosis",
    "associate_survey",
    "audit_survey",
    "by_round",
    "convergence",
    "diagnose_trial",
    "estimate_trial",
    "explore",
    "impute_trial",
    "joined",
    "panel_estimates",
    "run_controls",
    "sequence_trial",
    "subgroup_estimates",
    "through_trial",
]
