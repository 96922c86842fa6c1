"""Runs a notebook kept as text and renders it as one page that needs nothing from outside."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import jupytext
from nbclient import NotebookClient
from nbconvert import HTMLExporter
from traitlets.config import Config


def execute(path: Path | str, environment: Mapping[str, str], seconds: int = 300) -> str:
    """Run a notebook from top to bottom and return it as HTML; the same results give the same bytes.

    Parameters
    ----------
    path
        A notebook in jupytext's Markdown.
    environment
        Variables its kernel gets, such as the run it reads.
    seconds
        How long one cell may take.

    Raises
    ------
    nbclient.exceptions.CellExecutionError
        If a cell fails; the message shows the cell and the error.
    """
    notebook = jupytext.read(path)
    for position, cell in enumerate(notebook.cells):
        cell["id"] = f"cell-{position}"  # jupytext gives random ids
    # Sockets in the file system, not on the network: nobody else on the machine can listen.
    settings = Config({"KernelManager": {"transport": "ipc"}})
    client = NotebookClient(notebook, timeout=seconds, kernel_name="python3", record_timing=False, config=settings)
    client.execute(env={**os.environ, **environment}, cwd=str(Path.cwd()))
    # Formulas would need a script from elsewhere; the notebooks have none.
    exporter = HTMLExporter(template_name="lab", mathjax_url="", require_js_url="", exclude_input_prompt=True)
    exporter.exclude_output_prompt = True
    page, _ = exporter.from_notebook_node(notebook)
    return str(page)
