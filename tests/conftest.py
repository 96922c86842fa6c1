"""What every test may ask for."""

from __future__ import annotations

import os

# Before NumPy and matplotlib are imported: threads slow small matrix products, and there is no screen.
os.environ["OPENBLAS_NUM_THREADS"] = "1"
os.environ["MPLBACKEND"] = "Agg"

from pathlib import Path

import pytest


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files that run the workflow first, then other long ones: at the end an idle worker would wait for them."""
    marked = [{item.path for item in items if item.get_closest_marker(name)} for name in ("workflow", "slow")]
    items.sort(key=lambda item: [item.path not in long for long in marked])


@pytest.fixture(scope="session")
def project() -> Path:
    """The project's root folder."""
    return Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def mirror() -> list[Path]:
    """The folders of real survey files that BACKPAIN_MIRROR names; without any the test is skipped."""
    parts = os.environ.get("BACKPAIN_MIRROR", "").split(os.pathsep)
    named = [Path(part).expanduser() for part in parts if part]
    if not named:
        pytest.skip("REAL DATA NOT TESTED: let BACKPAIN_MIRROR name a folder with survey files (data/README.md)")
    if missing := [str(folder) for folder in named if not folder.is_dir()]:
        pytest.fail(f"BACKPAIN_MIRROR names folders that do not exist: {', '.join(missing)}")
    return [folder.resolve() for folder in named]
