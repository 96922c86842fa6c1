"""Target trials emulated in sequence from person-periods: initiation, and treatment sustained against never.

Every eligible period begins a trial (Hernan et al. 2008, Epidemiology 19:766; Danaei et al. 2013, Stat Methods Med Res
22:70). Whoever deviates from a sustained strategy is censored, and who stays is weighted by the inverse probability of
it. A person in many trials is one person to the variance, and everyone in a PSU belongs to it.
"""

from backpain.sequence.bands import simultaneous
from backpain.sequence.declared import SequentialTrials
from backpain.sequence.emulate import emulate_sequence
from backpain.sequence.expand import expand
from backpain.sequence.result import Emulated
from backpain.sequence.weighted import weighted_rows
from backpain.sequence.weights import fit_weights

__all__ = ["Emulated", "SequentialTrials", "emulate_sequence", "expand", "fit_weights", "simultaneous", "weighted_rows"]
