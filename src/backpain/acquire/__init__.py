"""Finds a survey's files: in the raw-data folder, then in mirrors, then by download; and knows them again."""

from backpain.acquire.find import acquire, plan
from backpain.acquire.models import AcquireError, Planned, Receipt, Wanted
from backpain.acquire.progress import Progress
from backpain.acquire.sums import SUMS, sha256
from backpain.acquire.transfer import download

__all__ = [
    "SUMS",
    "AcquireError",
    "Planned",
    "Progress",
    "Receipt",
    "Wanted",
    "acquire",
    "download",
    "plan",
    "sha256",
]
