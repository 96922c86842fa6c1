"""What is declared: surveys, variables, trials, associations, claims, runs. No pandas here: the Snakefile loads it."""

from backpain.spec.analysis import (
    Association,
    Claims,
    Job,
    Panels,
    Plan,
    Protocol,
    Rule,
    Run,
    Variable,
)
from backpain.spec.base import Closed, Range
from backpain.spec.check import check_run
from backpain.spec.load import (
    folder,
    load_association,
    load_claims,
    load_protocol,
    load_run,
    load_survey,
    load_variables,
    plan_of,
)
from backpain.spec.survey import (
    Check,
    Condition,
    File,
    Link,
    Mapping,
    Published,
    Source,
    Survey,
    Test,
    Where,
    split,
)
from backpain.spec.variation import Variation, variations
from backpain.spec.yaml import DeclarationError, nearest

__all__ = [
    "Association",
    "Check",
    "Claims",
    "Closed",
    "Condition",
    "DeclarationError",
    "File",
    "Job",
    "Link",
    "Mapping",
    "Panels",
    "Plan",
    "Protocol",
    "Published",
    "Range",
    "Rule",
    "Run",
    "Source",
    "Survey",
    "Test",
    "Variable",
    "Variation",
    "Where",
    "check_run",
    "folder",
    "load_association",
    "load_claims",
    "load_protocol",
    "load_run",
    "load_survey",
    "load_variables",
    "nearest",
    "plan_of",
    "split",
    "variations",
]
