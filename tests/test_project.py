"""Which code a rule runs, and when its declarations have changed."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from datetime import date
from pathlib import Path

import pytest

from backpain import project
from backpain.project import code, digest

PACKAGE = Path(project.__file__).parent
MODULES = sorted(
    ".".join(file.relative_to(PACKAGE).with_suffix("").parts).removesuffix(".__init__")
    for file in PACKAGE.rglob("*.py")
    if file != PACKAGE / "__init__.py"
)

# Each module is imported in a process that has imported nothing of ours: a fork of one that has only loaded
# what many of them import from elsewhere, which takes seconds.
EACH = """
import importlib, json, os, sys, traceback
import great_tables, jupytext, matplotlib.pyplot, nbconvert, pandas, pyarrow, pydantic, scipy.stats

def loaded(name):
    try:
        importlib.import_module("backpain." + name)
    except BaseException:
        return traceback.format_exc()
    ours = [module for key, module in sys.modules.items() if key.split(".")[0] == "backpain"]
    return [module.__file__ for module in ours if getattr(module, "__file__", None)]

for name in sys.argv[1:]:
    if os.fork() == 0:
        print(json.dumps([name, loaded(name)]), flush=True)
        os._exit(0)
    os.wait()
"""


@pytest.fixture(scope="module")
def imported() -> dict[str, list[str] | str]:
    """For each module, the package's files that importing it loaded, or why it cannot be imported."""
    done = subprocess.run([sys.executable, "-c", EACH, *MODULES], capture_output=True, text=True, check=True)
    return dict(json.loads(line) for line in done.stdout.splitlines())


@pytest.mark.slow
@pytest.mark.parametrize("module", MODULES)
def test_every_file_that_a_module_really_imports_is_among_its_code(
    module: str, imported: dict[str, list[str] | str]
) -> None:
    files = imported[module]
    assert isinstance(files, list), files
    loaded = {Path(file).resolve().relative_to(project.ROOT).as_posix() for file in files}
    assert "src/backpain/__init__.py" in loaded
    assert loaded <= set(code(module))


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package of its own, named like ours, that `code` looks at instead."""
    folder = tmp_path / "src" / "backpain"
    (folder / "room").mkdir(parents=True)
    for name in ("__init__", "one", "two", "room/__init__", "room/inner", "room/other"):
        (folder / f"{name}.py").write_text("")
    monkeypatch.setattr(project, "PACKAGE", folder)
    monkeypatch.setattr(project, "ROOT", tmp_path)
    return folder


def names(module: str) -> set[str]:
    return {path.removeprefix("src/backpain/").removesuffix(".py") for path in code(module)}


ONE = {"__init__", "one", "two"}
ROOM = {"__init__", "one", "room/__init__"}
FORMS = [
    ("import backpain.two", ONE),
    ("import backpain.two as second, json", ONE),
    ("import backpain.room.inner", ROOM | {"room/inner"}),
    ("from backpain import two", ONE),
    ("from backpain.two import anything", ONE),
    ("from backpain.two import *", ONE),
    ("from backpain.room import inner", ROOM | {"room/inner"}),
    ("from backpain.room import name_inside_init", ROOM),
    ("from backpain.room.inner import anything", ROOM | {"room/inner"}),
    ("from . import two", ONE),
    ("from .two import anything", ONE),
    ("from .room import inner as deep", ROOM | {"room/inner"}),
    ("from .room.inner import anything", ROOM | {"room/inner"}),
    ("def later():\n    from backpain.two import anything", ONE),
    ("from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from .two import Anything", ONE),
    ("try:\n    import backpain.two\nexcept ImportError:\n    pass", ONE),
    ("import json, pandas", {"__init__", "one"}),
    ("import backpainful", {"__init__", "one"}),
]


@pytest.mark.parametrize(("source", "expected"), FORMS, ids=[form for form, _ in FORMS])
def test_every_form_of_import_is_followed(package: Path, source: str, expected: set[str]) -> None:
    (package / "one.py").write_text(source)
    assert names("one") == expected


def test_dots_count_from_the_folder_of_the_file(package: Path) -> None:
    (package / "room/__init__.py").write_text("from .inner import anything")
    (package / "room/inner.py").write_text("from . import other\nfrom .. import two\nfrom ..one import anything")
    assert names("room") == {"__init__", "one", "two", "room/__init__", "room/inner", "room/other"}


def test_modules_that_import_each_other_end(package: Path) -> None:
    (package / "one.py").write_text("from backpain import two")
    (package / "two.py").write_text("from backpain import one")
    assert names("one") == names("two") == ONE


def test_what_the_package_itself_imports_belongs_to_every_module(package: Path) -> None:
    (package / "__init__.py").write_text("from backpain.two import anything")
    assert names("one") == ONE


def test_an_unknown_module_is_refused(package: Path) -> None:
    with pytest.raises(ModuleNotFoundError, match=r"no module backpain\.none"):
        code("none")


def test_an_import_of_an_unknown_module_is_refused_with_its_place(package: Path) -> None:
    (package / "one.py").write_text("\nfrom backpain.none import anything")
    with pytest.raises(ModuleNotFoundError, match=r"src/backpain/one\.py, line 2: .*backpain\.none"):
        code("one")


def test_paths_start_at_the_projects_root(project: Path) -> None:
    assert "src/backpain/project.py" in code("project")
    assert all((project / path).is_file() for path in code("project"))


def test_a_digest_is_the_same_in_another_process() -> None:
    declared = {"age": {"minimum": 18, 1: [True, None, 0.1]}, "since": date(2009, 1, 1)}
    program = f"import datetime; from backpain.project import digest; print(digest({declared!r}))"
    other = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert other.stdout.strip() == digest(declared)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({1: "a"}, {"1": "a"}),
        ({True: "a"}, {"true": "a"}),
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}),
        ([["a", 1]], {"a": 1}),
        ({"a": date(2009, 1, 1)}, {"a": "2009-01-01"}),
        ({"a": None}, {}),
        ("724", 724),
        (["ab"], ["a", "b"]),
    ],
)
def test_what_yaml_keeps_apart_has_another_digest(one: object, other: object) -> None:
    assert digest(one) != digest(other)


def test_several_declarations_are_not_one_joined() -> None:
    assert digest(["a"], ["b"]) != digest(["a", "b"])


@pytest.mark.parametrize("value", [{"a", "b"}, object(), Path("x"), b"x"])
def test_a_value_without_a_stable_text_is_refused(value: object) -> None:
    with pytest.raises(TypeError, match="plain data"):
        digest({"a": [value]})


def test_the_package_is_imported_from_this_project(project: Path) -> None:
    found = importlib.util.find_spec("backpain")
    assert found is not None
    assert found.origin == str(project / "src/backpain/__init__.py")
