#!/usr/bin/env python
"""Runs the notebooks of this folder from top to bottom, and writes what they print and show into them.

docs/notebooks/run.py [NAME.ipynb ...]    with the packages of the extra `notebooks`
"""
import pathlib
import re
import sys
import tempfile

import nbclient
import nbformat

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent


def main(names):
    for path in [HERE / name for name in names] or sorted(HERE.glob("*.ipynb")):
        notebook = nbformat.read(path, as_version=4)
        (ROOT / "runs").mkdir(exist_ok=True)  # in the repository, where a notebook finds its models
        with tempfile.TemporaryDirectory(dir=ROOT / "runs") as folder:
            nbclient.NotebookClient(notebook, timeout=3600, resources={"metadata": {"path": folder}}).execute()
            kept = [kept_of(cell, folder) for cell in notebook.cells]
        notebook.cells = kept
        notebook.metadata = {"kernelspec": notebook.metadata["kernelspec"], "language_info": {"name": "python"}}
        nbformat.write(notebook, path)
        print(path.name)


def kept_of(cell, folder):
    """A cell without times, progress lines and paths of this machine; what was printed to stderr is left out."""
    cell.metadata.pop("execution", None)
    if cell.cell_type != "code":
        return cell
    cell.outputs = [output for output in cell.outputs if output.get("name") != "stderr"]
    for output in cell.outputs:
        if "text" in output:
            output.text = plain(output.text, folder)
        for kind in ("text/plain", "text/html"):
            if kind in output.get("data", {}):
                output.data[kind] = plain(output.data[kind], folder)
    return cell


def plain(text, folder):
    text = text.replace(f"{folder}/", "").replace(folder, ".")
    text = text.replace(f"{ROOT}/", "")
    return re.sub(r"0x[0-9a-f]{6,}", "0x...", text)


if __name__ == "__main__":
    main(sys.argv[1:])
