"""Readers of raw survey files, one for each format: the agency's names and codes, untouched.

Whatever the format, numbers come as float64 (as SAS keeps them), text as pandas' `str`, logical values as
`bool` (`boolean` where some are missing), and never as a category: labels do not replace codes. Dates of
SAS, Stata and SPSS stay the numbers they are in the file. Blank text is "" and not missing.
"""

from backpain.formats import format_of
from backpain.read.frame import ReadError
from backpain.read.open import READERS, read

__all__ = ["READERS", "ReadError", "format_of", "read"]
