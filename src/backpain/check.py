"""`make check`: do the declarations hold, and what would a run have to download?"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from backpain.acquire import plan
from backpain.ingest import wanted
from backpain.spec import DeclarationError, check_run, load_survey, members_of


def mirrors() -> list[Path]:
    """The folders of BACKPAIN_MIRROR (separated as in PATH), where files may already lie."""
    named = os.environ.get("BACKPAIN_MIRROR", "")
    return [Path(part).resolve() for part in named.split(os.pathsep) if part]


def main(arguments: list[str]) -> int:
    """Check the run named on the command line; 0 when it can start."""
    name = arguments[0] if arguments else "demo"
    try:
        run = check_run(name)
    except DeclarationError as error:
        print(f"the declarations of the run {name} do not hold:", *error.problems, sep="\n  ", file=sys.stderr)
        return 1
    print(f"{name}: the declarations hold ({len(run.analyses)} analyses, surveys: {', '.join(run.surveys)}).")
    if run.simulated:
        print("Nothing to download: the run makes its own people.")
        return 0
    for survey in dict.fromkeys(member for members in members_of(run).values() for member in members):
        _say_files(survey)
    return 0


def _say_files(survey: str) -> None:
    found = plan(wanted(load_survey(survey)), Path("data/raw"), mirrors())
    missing = [item for item in found if item.where is None]
    print(f"{survey}: {len(found) - len(missing)} of {len(found)} files are here.")
    megabytes = sum((item.bytes or 0) for item in missing) / 1e6
    for item in missing:
        print(f"  {item.name}: {item.remedy}")
    if missing:
        print(f"  about {megabytes:.0f} MB are not here")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
