"""Depression, its treatment and back pain in public health surveys, from raw files to a report."""

__version__ = "0.1.0"
