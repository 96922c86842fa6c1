"""Treatment before mediator before outcome: who is at risk when the mediator is measured, and who no longer is."""

from __future__ import annotations

import pandas as pd

ORDER = ["step", "box", "remaining", "left_out"]


def in_order(frame: pd.DataFrame) -> tuple[pd.Series, pd.DataFrame]:
    """Who is at risk of the outcome when the mediator is measured, from dates.

    Parameters
    ----------
    frame
        One row per person with three times on one scale, such as months: `treatment_at` (missing for the untreated),
        `mediator_at` (missing where it was never measured) and `event_at` (missing for those without).

    Returns
    -------
    at_risk : Series
        Nullable boolean: whether the outcome had not happened when the mediator was measured; missing where that was never.
    flow : DataFrame
        Columns `ORDER`: everyone, those with a mediator, those still free of the outcome then.

    Raises
    ------
    ValueError
        If somebody was treated after the mediator was measured, which then cannot be treatment's effect; if the mediator
        was measured in nobody; if nobody is at risk any more.
    """
    treatment, mediator, event = (frame[name] for name in ("treatment_at", "mediator_at", "event_at"))
    late = int((treatment > mediator).sum())
    if late:
        raise ValueError(
            f"treatment_at: {late} people were treated after their mediator was measured, which cannot be its effect; count "
            "them as untreated at that time, or measure the mediator later"
        )
    measured = mediator.notna()
    if not measured.any():
        raise ValueError("mediator_at: the mediator was measured in nobody; there is nothing to go through")
    # ASSUME: who has the outcome in the unit of time in which the mediator is measured had it before.
    free = ~(event <= mediator)
    if not (measured & free).any():
        raise ValueError("event_at: everybody had the outcome before the mediator was measured; nobody is at risk")
    counts = [len(frame), int(measured.sum()), int((measured & free).sum())]
    boxes = ["everyone", "mediator measured", "free of the outcome when the mediator was measured"]
    left = [0, counts[0] - counts[1], counts[1] - counts[2]]
    flow = pd.DataFrame({"step": range(3), "box": boxes, "remaining": counts, "left_out": left}, columns=ORDER)
    return free.astype("boolean").mask(~measured), flow
