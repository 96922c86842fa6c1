"""Writers of raw survey files, one for each format, so that simulated surveys arrive as real ones do.

A file is written whole or not at all, and the same frame gives the same bytes: the clocks that formats keep in
their headers are set to the beginning of the year 2000.
"""

from backpain.write.frame import WriteError
from backpain.write.save import WRITERS, write

__all__ = ["WRITERS", "WriteError", "write"]
