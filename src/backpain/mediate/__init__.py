"""Does treatment act through a mediator, such as remission? Interventional direct and indirect effects, under the design.

The mediator is never set to what a person would have had, which no data can tell, but drawn at random from what people
alike have under treatment or under none (VanderWeele, Vansteelandt and Robins 2014, Epidemiology 25:300; Vansteelandt
and Daniel 2017, Epidemiology 28:258). Causes of both mediator and outcome that treatment changes may be adjusted for.
"""

from backpain.mediate.effects import EFFECTS, MEANS, THROUGH, effects_of
from backpain.mediate.estimate import Mediated, mediate
from backpain.mediate.groups import FOUR, four_groups
from backpain.mediate.order import ORDER, in_order
from backpain.mediate.people import People, people_of

__all__ = [
    "EFFECTS",
    "FOUR",
    "MEANS",
    "ORDER",
    "THROUGH",
    "Mediated",
    "People",
    "effects_of",
    "four_groups",
    "in_order",
    "mediate",
    "people_of",
]
