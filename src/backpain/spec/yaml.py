"""Reads the YAML declarations strictly: every key once, no word that silently turns into true or false."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml

AMBIGUOUS = {"yes", "no", "on", "off", "y", "n"}


class DeclarationError(ValueError):
    """A declaration that cannot be carried out: names the file, the key, what is wrong and what to do.

    Attributes
    ----------
    problems : list[str]
        One line for each problem found, all of the file's at once so that nobody mends them one by one.
    """

    def __init__(self, problems: Iterable[str]) -> None:
        self.problems = list(problems)
        super().__init__("\n".join(self.problems))

    def __reduce__(self) -> tuple[type[DeclarationError], tuple[list[str]]]:
        """Another process raises it again with its problems, not with the letters of their text."""
        return DeclarationError, (self.problems,)


def nearest(name: object, known: Iterable[object]) -> str:
    """Say which known name is closest: "; did you mean 'age'?", or list the known ones when none is close."""
    names = sorted(str(item) for item in known)
    close = difflib.get_close_matches(str(name), names, n=1, cutoff=0.6)
    if close:
        return f"; did you mean {close[0]!r}?"
    return f"; known: {', '.join(names[:30])}" if names else ""


class _StrictLoader(yaml.SafeLoader):
    """YAML in which `yes`, `no`, `on`, `off` must be quoted and no key may stand twice."""

    file = ""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: dict[Any, int] = {}
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            line = key_node.start_mark.line + 1
            if isinstance(key, list | dict):
                raise DeclarationError([f"{self.file}:{line}: a key must be a word or a number"])
            if key in seen:
                raise DeclarationError(
                    [f"{self.file}:{line}: the key {key!r} stands twice (first in line {seen[key]}); remove one"]
                )
            seen[key] = line
        return super().construct_mapping(node, deep=True)


def _refuse_ambiguous(loader: _StrictLoader, node: yaml.ScalarNode) -> Any:
    if node.value.lower() in AMBIGUOUS:
        raise DeclarationError(
            [
                f"{loader.file}:{node.start_mark.line + 1}: the bare word {node.value!r} would be read as true or "
                f"false; write '{node.value}' in quotes, or true/false if that is meant"
            ]
        )
    return yaml.SafeLoader.construct_yaml_bool(loader, node)


_StrictLoader.yaml_implicit_resolvers = {
    letter: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for letter, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_StrictLoader.add_constructor("tag:yaml.org,2002:bool", _refuse_ambiguous)


def read_yaml(path: Path) -> dict[Any, Any]:
    """Read one declaration file into plain data.

    Raises
    ------
    DeclarationError
        If the file is absent, is not YAML, holds a key twice, or an unquoted yes/no.
    """
    if not path.is_file():
        there = [other.stem for other in path.parent.glob("*.yaml")] if path.parent.is_dir() else []
        raise DeclarationError([f"{path}: there is no such declaration{nearest(path.stem, there)}"])
    loader = _StrictLoader(path.read_text(encoding="utf-8"))
    loader.file = str(path)
    try:
        data = loader.get_single_data()
    except yaml.YAMLError as error:
        raise DeclarationError([f"{path}: not valid YAML: {' '.join(str(error).split())}"]) from error
    finally:
        loader.dispose()
    if not isinstance(data, dict):
        raise DeclarationError([f"{path}: a declaration is a mapping of keys to values; this file is not"])
    return data


def merge(base: dict[Any, Any], over: dict[Any, Any]) -> dict[Any, Any]:
    """Lay one declaration over another: mappings merge key by key, lists and values replace, null removes."""
    merged = dict(base)
    for key, value in over.items():
        if value is None:
            merged.pop(key, None)
        elif isinstance(value, dict) and isinstance(merged.get(key), dict):
            merged[key] = merge(merged[key], value)
        else:
            merged[key] = value
    return merged
