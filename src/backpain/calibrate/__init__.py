"""Empirical calibration: how wrong a trial is where the truth is known to be none, taken off where it is not known.

Profiles of negative controls (`weighted_profile`), the distribution of systematic error over them (`fit_null`), each
control against the others (`leave_one_out`, `by_group`), calibrated p and intervals (`calibrate`), and what a funnel plot
draws (`contours`, `funnel`).
"""

from backpain.calibrate.apply import CALIBRATED, CONSTANT, calibrate, calibrate_profile
from backpain.calibrate.funnel import CONTOURS, contours, funnel
from backpain.calibrate.null import PENALTIES, Null, fit_null
from backpain.calibrate.outside import LEFT_OUT, by_group, leave_one_out
from backpain.calibrate.positive import LINEAR, ErrorModel, calibrate_by, fit_error
from backpain.calibrate.profiles import Curve, curves_of, normal_profile
from backpain.calibrate.weighted import arms_profile, coefficient_profile, weighted_profile

__all__ = [
    "CALIBRATED",
    "CONSTANT",
    "CONTOURS",
    "LEFT_OUT",
    "LINEAR",
    "PENALTIES",
    "Curve",
    "ErrorModel",
    "Null",
    "arms_profile",
    "by_group",
    "calibrate",
    "calibrate_by",
    "calibrate_profile",
    "coefficient_profile",
    "contours",
    "curves_of",
    "fit_error",
    "fit_null",
    "funnel",
    "leave_one_out",
    "normal_profile",
    "weighted_profile",
]
