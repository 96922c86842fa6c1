"""What all declarations share: closed models, and validation errors said in the words of the file."""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ConfigDict, ValidationError

from backpain.spec.yaml import DeclarationError, nearest

Scalar = str | int | float | bool


class Closed(BaseModel):
    """A declaration in which only the named keys may stand."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True, frozen=True, protected_namespaces=())


class Range(Closed):
    """Numbers from `minimum` to `maximum`, both included; either may be left open."""

    minimum: float | None = None
    maximum: float | None = None

    def __str__(self) -> str:
        low = "any" if self.minimum is None else f"{self.minimum:g}"
        return f"{low} or more" if self.maximum is None else f"{low} to {self.maximum:g}"

    def holds(self, other: Range) -> bool:
        """Whether every number of `other` is inside this range."""
        low = self.minimum is None or (other.minimum is not None and other.minimum >= self.minimum)
        high = self.maximum is None or (other.maximum is not None and other.maximum <= self.maximum)
        return low and high


Model = TypeVar("Model", bound=Closed)


def known_keys(model: type[BaseModel], location: tuple[int | str, ...]) -> list[str]:
    """The keys that may stand where a stray one was found, by following the location through the models."""
    here: list[type[BaseModel]] = [model]
    for part in location[:-1]:
        onward: list[type[BaseModel]] = []
        for candidate in here:
            field = _field(candidate, part)
            onward += _models(field.annotation) if field is not None else []
        here = onward or here
    return sorted({field.alias or name for candidate in here for name, field in candidate.model_fields.items()})


def _field(model: type[BaseModel], part: int | str) -> Any:
    for name, field in model.model_fields.items():
        if part in (name, field.alias):
            return field
    return None


def _models(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for inner in get_args(annotation) for model in _models(inner)]


def validate(model: type[Model], data: dict[Any, Any], file: Path | str) -> Model:
    """Validate plain data against a model.

    Raises
    ------
    DeclarationError
        One line per problem: file, key, what is wrong, the nearest known key, the remedy.
    """
    try:
        return model.model_validate(data)
    except ValidationError as error:
        problems = []
        for item in error.errors():
            where = " > ".join(str(part) for part in item["loc"]) or "(top level)"
            if item["type"] == "extra_forbidden":
                key = item["loc"][-1]
                problems.append(
                    f"{file}: {where}: there is no key {str(key)!r} here{nearest(key, known_keys(model, item['loc']))}"
                )
            elif item["type"] == "missing":
                problems.append(f"{file}: {where}: this key is required; add it")
            else:
                message = item["msg"].removeprefix("Value error, ")
                problems.append(f"{file}: {where}: {message} (found {_short(item['input'])})")
        raise DeclarationError(dict.fromkeys(problems)) from error


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."
