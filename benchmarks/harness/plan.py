"""Who does which job up to which size, and why not beyond: the one place where a peer is left out."""

from __future__ import annotations

from dataclasses import dataclass

SIZES = [6_000, 30_000, 1_000_000]
JOBS = {
    "logistic": "(a) logistic regression on 16 terms with design-based standard errors",
    "prevalences": "(b) 25 subgroup prevalences with logit intervals",
    "refits": "(c) one logistic model under the bootstrap replicates, with their standard errors",
    "iptw": "(c) IPTW risk difference under the replicates, propensity refitted in each",
    "aipw": "(c) AIPW risk difference under the replicates, all three models refitted in each",
    "imputation": "(d) imputation by chained equations, the logistic regression of (a) in each, and pooling",
    "pooling": "(d) Rubin's rules alone, on given estimates",
}
OURS = "backpain"
# The same with the look-up of its columns in a pandas frame inside the clock, which is pandas' own time.
FRAMED = "backpain of a frame"
PEERS = ["svy", "statsmodels", "R", "R tuned", FRAMED]
# The peer of benchmarks/sequence.py, which has a world and an environment of its own.
SEQUENCE = "pyseqtarget"


@dataclass(frozen=True)
class Part:
    """What a package does of a job.

    `largest` is the most people it is given, and why it says no more; beyond `quick` people only `few` warm calls are
    made (0: the first call is the only one, and stands for them).
    """

    how: str
    largest: int = 1_000_000
    why: str = ""
    quick: int = 1_000_000
    few: int = 2

    def warm(self, people: int, runs: int) -> int:
        """How many warm calls."""
        return runs if people <= self.quick else min(runs, self.few)


# Where R and statsmodels loop over replicates: minutes a call beyond 30,000 people, gigabytes of weights.
LOOPS = "500 refits in a loop take ten minutes or more a call"
HOURS = "mice takes two minutes a call at 6,000 people, and in proportion beyond"
NONE_OFFERED = "does not offer treatment effects, nor its replicates' coefficients to make them from; see `refits`"
NO_IMPUTATION = "does not offer multiple imputation"

DOES: dict[tuple[str, str], Part | str] = {
    ("logistic", OURS): Part("survey_regression"),
    ("logistic", "svy"): Part("glm.fit"),
    ("logistic", "statsmodels"): Part("GLM, sandwich by hand"),
    ("logistic", "R"): Part("svyglm"),
    ("prevalences", OURS): Part("proportions(by)"),
    ("prevalences", FRAMED): Part("proportions(by) of a frame's columns"),
    ("prevalences", "svy"): Part("estimation.mean(by), intervals by hand"),
    ("prevalences", "statsmodels"): "does not offer survey estimates",
    ("prevalences", "R"): Part("svyby(svymean), intervals by hand"),
    ("refits", OURS): Part("regression under Replicated", quick=30_000, few=1),
    ("refits", "svy"): Part("glm.fit(method='replication')", 30_000, "500 columns of weights take 4 GB", 6_000, 3),
    ("refits", "statsmodels"): Part("GLM in a loop", 30_000, LOOPS, 6_000),
    ("refits", "R"): Part("svyglm on svrepdesign", 30_000, LOOPS, 6_000),
    ("iptw", OURS): Part("replicated weighting", quick=30_000, few=1),
    ("iptw", "svy"): NONE_OFFERED,
    ("iptw", "statsmodels"): Part("GLM in a loop", 30_000, LOOPS, 6_000),
    ("iptw", "R"): Part("withReplicates, glm", 30_000, LOOPS, 6_000, 1),
    ("iptw", "R tuned"): Part("withReplicates, glm.fit started, rows of weight 0 left out", 30_000, LOOPS, 6_000, 1),
    ("aipw", OURS): Part("replicated augmented weighting", quick=30_000, few=1),
    ("aipw", "svy"): NONE_OFFERED,
    ("aipw", "statsmodels"): Part("GLM in a loop", 30_000, LOOPS, 6_000),
    ("aipw", "R"): Part("withReplicates, glm", 6_000, LOOPS),
    ("aipw", "R tuned"): Part("withReplicates, glm.fit started, rows of weight 0 left out", 30_000, LOOPS, 6_000, 1),
    ("imputation", OURS): Part(
        "impute, survey_regression, pool", 30_000, "the data are of tens of thousands", 6_000, 1
    ),
    ("imputation", "svy"): NO_IMPUTATION,
    ("imputation", "statsmodels"): "its chained equations know predictive mean matching only, so the models differ",
    ("imputation", "R"): Part("mice, svyglm, pool.scalar", 6_000, HOURS),
    ("pooling", OURS): Part("pool", 6_000, "it does not depend on the people"),
    ("pooling", "svy"): NO_IMPUTATION,
    ("pooling", "statsmodels"): "pools its own chained equations only",
    ("pooling", "R"): Part("mice::pool.scalar", 6_000, "it does not depend on the people"),
}

# The job as the peer's module names it, where the same package does it in two ways.
NAMED = {"R tuned": "_tuned", FRAMED: "_of_frame"}

# What is promised: job, people, peer, how many times faster at least.
TARGETS = [
    ("logistic", 1_000_000, "svy", 1.4),
    ("logistic", 1_000_000, "statsmodels", 5.0),
    ("logistic", 1_000_000, "R", 8.0),
    ("prevalences", 1_000_000, "svy", 50.0),
    ("prevalences", 1_000_000, "R", 50.0),
    ("prevalences", 6_000, "svy", 15.0),
    ("iptw", 6_000, "R", 25.0),
    ("imputation", 6_000, "R", 25.0),
]
# And no more memory than this peer.
LEAN = ("logistic", 1_000_000, "svy")


def part(job: str, peer: str, people: int) -> Part | str:
    """What a package does of a job at a size, or why it does not."""
    does = DOES.get((job, peer), "does this job in one way only")
    if isinstance(does, Part) and people > does.largest:
        return does.why
    return does
