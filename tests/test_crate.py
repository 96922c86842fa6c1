"""A run's crate: who made what of what, with which bytes; and what is said when a byte differs."""

from __future__ import annotations

import hashlib
import json
from base64 import urlsafe_b64encode
from pathlib import Path

import pytest

from backpain.crate import crate, differing, manifest
from backpain.provenance import Step, contents, steps_to
from backpain.spec import load_run
from backpain.verify import main, table


def record(folder: Path, output: str, rule: str, inputs: list[str], log: str, cut: int = 1000) -> None:
    """A record as the workflow keeps them; a long name is cut into folders."""
    name = urlsafe_b64encode(output.encode()).decode()
    parts = [name[i : i + cut] for i in range(0, len(name), cut)]
    path = folder.joinpath(*["@" + part for part in parts[:-1]], parts[-1])
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"rule": rule, "input": inputs, "log": [log], "starttime": 1.0}))


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Raw people, two tables that one job made of them, a folder of figures made of one of these, and a stranger."""
    files = {
        "config/demo.yaml": "title: x",
        "results/demo/people.parquet": "people",
        "results/demo/estimates.csv": "estimate\n1\n",
        "results/demo/flow.csv": "people\n10\n",
        "results/demo/figures/people/flow.svg": "<svg/>",
        "results/demo/.unfinished": "half",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    (tmp_path / "CITATION.cff").write_text('date-released: "2026-01-01"\n')
    records = tmp_path / ".snakemake" / "metadata"
    record(records, "results/demo/people.parquet", "simulate", ["config/demo.yaml"], "simulate.log")
    for name in ("estimates", "flow"):
        record(records, f"results/demo/{name}.csv", "combine", ["results/demo/people.parquet"], "combine.log", cut=20)
    record(records, "results/demo/figures/people", "draw", ["results/demo/flow.csv"], "draw.log")
    record(records, "results/demo/other.csv", "stray", [], "stray.log")
    return tmp_path


PUBLISHED = ["results/demo/estimates.csv", "results/demo/flow.csv", "results/demo/figures/people"]


def made(project: Path) -> dict[str, dict]:
    steps = steps_to(PUBLISHED, project / ".snakemake" / "metadata")
    raw = [{"survey": "demo", "file": "people 1", "path": "demo/people.xpt", "size": 4, "sha256": "0" * 64}]
    found = crate(load_run("demo"), "demo", steps, PUBLISHED, raw, {"numpy": "2.4.0"}, project)
    (project / "results/demo/ro-crate-metadata.json").write_text(json.dumps(found))
    return {entity["@id"]: entity for entity in found["@graph"]}


def test_steps_lead_from_what_is_asked_for_back_to_what_nobody_made(project: Path) -> None:
    steps = steps_to(["results/demo/figures/people"], project / ".snakemake" / "metadata")
    assert steps == [
        Step("draw", ("results/demo/flow.csv",), ("results/demo/figures/people",)),
        Step("combine", ("results/demo/people.parquet",), ("results/demo/flow.csv",)),
        Step("simulate", ("config/demo.yaml",), ("results/demo/people.parquet",)),
    ]
    both = steps_to(PUBLISHED, project / ".snakemake" / "metadata")
    assert next(step for step in both if step.rule == "combine").outputs == (
        "results/demo/estimates.csv",
        "results/demo/flow.csv",
    )
    with pytest.raises(FileNotFoundError, match=r"unknown.csv: the workflow has no record .* remove it and run again"):
        steps_to(["unknown.csv"], project / ".snakemake" / "metadata")


def test_a_folder_stands_for_its_files_but_not_for_what_is_half_written(project: Path) -> None:
    assert contents("results/demo/figures", project) == ["results/demo/figures/people/flow.svg"]
    assert "results/demo/.unfinished" not in contents("results/demo", project)
    assert contents("nothing", project) == []


def test_the_crate_is_whole_and_tells_of_every_file_what_made_it(project: Path) -> None:
    entities = made(project)
    whole = entities["./"]
    shared = [part["@id"] for part in whole["hasPart"]]
    assert shared == ["estimates.csv", "figures/people/flow.svg", "flow.csv"]  # people are not given away
    for name in shared:
        content = (project / "results/demo" / name).read_bytes()
        assert entities[name]["sha256"] == hashlib.sha256(content).hexdigest()
        assert entities[name]["contentSize"] == str(len(content))
    # Everything that is named is told of.
    named = [
        one["@id"]
        for entity in entities.values()
        for value in entity.values()
        for one in (value if isinstance(value, list) else [value])
        if isinstance(one, dict) and "@id" in one and not one["@id"].startswith("https:")
    ]
    assert named
    assert set(named) <= set(entities)
    combine = next(entity for entity in entities.values() if entity.get("name") == "combine" and "result" in entity)
    assert [one["@id"] for one in combine["object"]] == ["#results/demo/people.parquet"]
    assert [one["@id"] for one in combine["result"]] == ["estimates.csv", "flow.csv"]
    assert whole["datePublished"] == "2026-01-01"
    assert entities["#workflow"]["version"] == "unknown"
    assert entities["#raw/demo/people-1"]["sha256"] == "0" * 64


def test_a_folder_without_figures_is_no_loss(project: Path) -> None:
    (project / "results/demo/figures/people/flow.svg").unlink()
    assert [part["@id"] for part in made(project)["./"]["hasPart"]] == ["estimates.csv", "flow.csv"]


def test_a_crate_of_something_that_is_gone_is_refused(project: Path) -> None:
    (project / "results/demo/flow.csv").unlink()
    with pytest.raises(FileNotFoundError, match=r"flow.csv: was made by this run and is gone"):
        made(project)


def test_a_changed_byte_and_a_missing_file_are_named(project: Path) -> None:
    made(project)
    told = manifest(project / "results/demo/ro-crate-metadata.json")
    assert sorted(told) == [
        "results/demo/estimates.csv",
        "results/demo/figures/people/flow.svg",
        "results/demo/flow.csv",
        "results/demo/people.parquet",
    ]
    assert differing(told, project) == {}
    path = project / "results/demo/estimates.csv"
    path.write_text(path.read_text().replace("1", "2"))
    (project / "results/demo/flow.csv").unlink()
    found = differing(told, project)
    assert found == {"results/demo/estimates.csv": "holds other bytes", "results/demo/flow.csv": "is not there"}
    lines = table(found, {"results/demo/people.parquet": "holds other bytes"}, made=True).splitlines()
    assert lines[0] == "  results/demo/estimates.csv: holds other bytes; made again: the same"
    assert lines[2] == "  results/demo/people.parquet: the same; made again: holds other bytes"


def test_what_is_no_crate_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(FileNotFoundError, match="finish the run first"):
        manifest(tmp_path / "ro-crate-metadata.json")
    (tmp_path / "ro-crate-metadata.json").write_text("{}")
    with pytest.raises(ValueError, match="this is no crate of a run"):
        manifest(tmp_path / "ro-crate-metadata.json")
    assert main(["no-such-run", "--quick"]) == 2
    assert "there is no crate here" in capsys.readouterr().err
