"""What a sequence of trials found: curves with bands, contrasts at declared times, odds ratios."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import stdtr

from backpain.design import t_quantile
from backpain.sequence.bands import simultaneous

Numbers = NDArray[np.float64]

ARMS = ("untreated", "treated")
COMPARED = "treated vs untreated"


@dataclass(frozen=True)
class Emulated:
    """Risks, coefficients and what they vary by.

    Attributes
    ----------
    strategy
        `initiation` or `sustained`.
    risk
        (2, longest) by the end of each period of follow-up, of the untreated arm first.
    names
        Of the coefficients: of the event's hazard, `death: ` of the competing event's, and last `odds ratio`.
    coefficients
        (k,) the last is the logarithm of the odds ratio of the pooled logistic model without treatment's product
        with time: close to a hazard ratio where the event is rare in each period.
    covariance
        (2 longest + k,) squared, of risks and then coefficients.
    df
        Degrees of freedom of the design.
    variance
        How it was found: `linearised, weights estimated` or `replicates, all refitted`.
    counts
        People, person-trials, rows and events by arm.
    weights
        Quantiles of the rows' weights without the survey's.
    """

    strategy: str
    risk: Numbers
    names: list[str]
    coefficients: Numbers
    covariance: Numbers
    df: int
    variance: str
    counts: pd.DataFrame
    weights: pd.Series
    level: float = 0.95

    @property
    def longest(self) -> int:
        """Periods of follow-up."""
        return self.risk.shape[1]

    @cached_property
    def _risks(self) -> Numbers:
        return self.covariance[: 2 * self.longest, : 2 * self.longest]

    def table(self) -> pd.DataFrame:
        """The coefficients: name, estimate, se, low, high, p."""
        se = np.sqrt(np.diag(self.covariance)[2 * self.longest :])
        return pd.DataFrame(
            [
                self._row({"name": name}, value, float(error))
                for name, value, error in zip(self.names, self.coefficients, se, strict=True)
            ]
        )

    def curves(self, draws: int = 10_000, seed: int = 1) -> pd.DataFrame:
        """Risk of each arm and their difference by time, with intervals and with bands that hold for all times at once.

        Parameters
        ----------
        draws, seed
            Of the largest standardised deviation over all times, which the bands are made from; see `simultaneous`.

        Returns
        -------
        `arm`, `time` (periods since time zero; the risk is that by then), `risk`, `se`, `low`, `high`, `band_low`,
        `band_high`. Intervals of an arm are symmetric in log(-log(1 - risk)), those of the difference in itself.
        """
        parts = []
        for arm in (0, 1):
            parts.append(self._curve(ARMS[arm], self.risk[arm], self._part(arm), "loglog", draws, seed))
        difference = self.risk[1] - self.risk[0]
        parts.append(self._curve(COMPARED, difference, self._both(np.eye(self.longest)), "plain", draws, seed))
        return pd.concat(parts, ignore_index=True)

    def contrasts(self, times: Sequence[int] | None = None) -> pd.DataFrame:
        """Risks, their contrasts, and mean time free of the event, by declared times.

        Parameters
        ----------
        times
            Periods since time zero, 1 to the longest; None takes the longest.

        Returns
        -------
        `time`, `arm`, `scale` (risk, risk-difference, risk-ratio, odds-ratio, number-needed-to-treat,
        free-time, free-time-difference), `estimate`, `se` (of the logarithm for ratios), `low`, `high`, `p`,
        `df`. The time free of the event is in periods: the area under one less the risk, which steps up at the end of
        each period. The number needed to treat is one over minus the difference (negative: to harm); its ends are
        missing where the difference's interval holds zero, because they then have no order.

        Raises
        ------
        ValueError
            If a time is beyond follow-up.
        """
        rows: list[dict[str, Any]] = []
        for time in [self.longest] if times is None else times:
            if not 1 <= time <= self.longest:
                raise ValueError(f"times: {time} is not within follow-up of {self.longest} periods")
            rows += self._at(int(time))
        return pd.DataFrame(rows)

    def _at(self, time: int) -> list[dict[str, Any]]:
        place = time - 1
        one, other = float(self.risk[1, place]), float(self.risk[0, place])
        pick, until = np.eye(self.longest)[place], (np.arange(self.longest) < place).astype(float)
        # Free at the start, and at the end of every period but the last.
        free = [time - float(until @ self.risk[arm]) for arm in (0, 1)]
        rows = []
        for arm in (1, 0):
            vector = self._vector(pick, arm)
            risk = float(self.risk[arm, place])
            rows.append(self._row({"time": time, "arm": ARMS[arm], "scale": "risk"}, risk, self._se(vector), "logit"))
        head = {"time": time, "arm": COMPARED}
        pairs = self._vector(pick, 1), self._vector(pick, 0)
        difference = self._row(head | {"scale": "risk-difference"}, one - other, self._se(pairs[0] - pairs[1]))
        rows.append(difference)
        for scale, value, vector in (
            ("risk-ratio", np.log(one / other), pairs[0] / one - pairs[1] / other),
            (
                "odds-ratio",
                np.log(one / (1 - one) / (other / (1 - other))),
                pairs[0] / (one * (1 - one)) - pairs[1] / (other * (1 - other)),
            ),
        ):
            rows.append(self._row(head | {"scale": scale}, float(value), self._se(vector), "log"))
        rows.append(_needed(difference))
        for arm in (1, 0):
            mine = {"time": time, "arm": ARMS[arm], "scale": "free-time"}
            rows.append(self._row(mine, free[arm], self._se(self._vector(until, arm)), test=False))
        span = self._vector(until, 1) - self._vector(until, 0)
        rows.append(self._row(head | {"scale": "free-time-difference"}, free[1] - free[0], self._se(span)))
        return rows

    def _vector(self, pick: Numbers, arm: int) -> Numbers:
        nothing = np.zeros(self.longest)
        return np.concatenate([nothing, pick] if arm else [pick, nothing])

    def _se(self, vector: Numbers) -> float:
        return float(max(float(vector @ self._risks @ vector), 0.0) ** 0.5)

    def _part(self, arm: int) -> Numbers:
        inside = slice(arm * self.longest, (arm + 1) * self.longest)
        return self._risks[inside, inside]

    def _both(self, pick: Numbers) -> Numbers:
        contrast = np.hstack([-pick, pick])
        return np.asarray(contrast @ self._risks @ contrast.T)

    def _row(
        self, head: dict[str, Any], value: float, se: float, scale: str = "plain", test: bool = True
    ) -> dict[str, Any]:
        """A row with its interval, symmetric on the scale."""
        away = value * (1 - value) if scale == "logit" else 1.0
        to, back = TO[scale]
        # A logarithm of a ratio is what comes in.
        middle = value if scale == "log" else to(value)
        reach = float(t_quantile(self.df, self.level)) * se / away
        p = 2 * float(stdtr(self.df, -abs(value) / se)) if test and scale != "logit" and se > 0 else np.nan
        ends = {"low": back(middle - reach), "high": back(middle + reach)}
        return head | {"estimate": float(back(middle)), "se": se, **ends, "p": p, "df": self.df}

    def _curve(self, arm: str, value: Numbers, covariance: Numbers, scale: str, draws: int, seed: int) -> pd.DataFrame:
        se = np.sqrt(np.diag(covariance))
        to, back = TO[scale]
        with np.errstate(divide="ignore", invalid="ignore"):
            away = np.abs((1 - value) * np.log1p(-value)) if scale == "loglog" else np.ones(len(value))
            middle, spread = to(value), se / away
        found: dict[str, Any] = {"arm": arm, "time": np.arange(1, self.longest + 1), "risk": value, "se": se}
        wide = simultaneous(covariance, self.df, self.level, draws, seed)
        for name, reach in (("", float(t_quantile(self.df, self.level))), ("band_", wide)):
            found |= {f"{name}low": back(middle - reach * spread), f"{name}high": back(middle + reach * spread)}
        return pd.DataFrame(found)


def _needed(difference: dict[str, Any]) -> dict[str, Any]:
    """The number needed to treat from the row of the risk difference."""
    value, low, high = (difference[name] for name in ("estimate", "low", "high"))
    known = low * high > 0
    ends = (
        {"low": min(-1 / low, -1 / high), "high": max(-1 / low, -1 / high)}
        if known
        else {"low": np.nan, "high": np.nan}
    )
    estimate = -1 / value if value else np.inf
    return difference | {"scale": "number-needed-to-treat", "estimate": estimate, "se": np.nan, **ends}


def _plain(value: Any) -> Any:
    return value


Scale = tuple[Callable[[Any], Any], Callable[[Any], Any]]
TO: dict[str, Scale] = {
    "plain": (_plain, _plain),
    "log": (np.log, np.exp),
    "logit": (lambda p: np.log(p / (1 - p)), lambda x: 1 / (1 + np.exp(-x))),
    "loglog": (lambda p: np.log(-np.log1p(-p)), lambda x: -np.expm1(-np.exp(x))),
}


__all__ = ["ARMS", "COMPARED", "Emulated"]
