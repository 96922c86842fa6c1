"""Receipts: where each of a survey's files was found, how large it was and its checksum."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from backpain.acquire import Receipt
from backpain.ingest import wanted
from backpain.job import finished
from backpain.spec import Survey


def write_receipts(receipts: list[Receipt], path: Path | str) -> None:
    """Write the receipts of one survey as JSON."""
    with finished(path) as temporary:
        rows = [{**asdict(receipt), "path": str(receipt.path)} for receipt in receipts]
        temporary.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")


def read_receipts(path: Path | str) -> list[dict[str, Any]]:
    """The receipts of one survey."""
    return list(json.loads(Path(path).read_text(encoding="utf-8")))


def paths(path: Path | str) -> dict[str, Path]:
    """Where each file lies, after a look that it is still the file of the receipt.

    Raises
    ------
    FileNotFoundError, ValueError
        If a file has gone or has another size; naming it and what to do.
    """
    found = {}
    for row in read_receipts(path):
        place = Path(row["path"])
        if not place.is_file():
            raise FileNotFoundError(f"{place}: was here when the receipt {path} was written and is gone; put it back")
        if place.stat().st_size != row["size"]:
            raise ValueError(
                f"{place}: has {place.stat().st_size} bytes, {row['size']} when the receipt was written; "
                f"put the file back, or remove {path} to take the new one"
            )
        found[row["file"]] = place
    return found


def simulated_receipts(survey: Survey, folder: Path) -> list[Receipt]:
    """Receipts of the raw files that a simulated run has written below a folder."""
    found = []
    for item in wanted(survey):
        path = folder / item.path
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        found.append(Receipt(item.name, path, path.stat().st_size, digest, "simulated"))
    return found
