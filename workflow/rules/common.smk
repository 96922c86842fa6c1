import sys
import time

sys.path.insert(0, str(Path(workflow.basedir) / "src"))

from backpain.declared import declared
from backpain.project import code, finish
from backpain.spec import check_run

STARTED = time.time()
RUN = check_run(run)
LOCK = "requirements.lock"
FIGURES = {
    "people": ["flow", "windows", "missingness"],
    "diagnostics": ["balance", "overlap"],
    "effects": ["risks", "forest", "detectable"],
}


wildcard_constraints:
    survey="[a-z0-9-]+",
    protocol="[a-z0-9-]+",
    association="[a-z0-9-]+",


def trials(pattern):
    """One path for each trial and survey of the run."""
    return [pattern.format(protocol=protocol, survey=survey) for protocol, survey in RUN.trials]


def associations(pattern):
    """One path for each association and survey of the run."""
    return [pattern.format(association=name, survey=survey) for name, survey in RUN.associations]
