"""docs/notebooks: each runs from top to bottom with smaller parameters, and has its outputs, which are small."""
import ast
import json
import re

import matplotlib.pyplot
import pytest

from tf2gan.gans import GANS

# {notebook: its parameters, so small that it takes seconds}
PARAMETERS = {
    "1-first-gan": {"steps": 4, "measured": 20}, "2-classes-and-few-labels": {"steps": 2},
    "3-translation": {"data": "synthetic_apple2orange/32", "size": 32, "steps": 3, "measured": 12},
    "4-growing-and-latents": {"data": "synthetic_digits/16", "images": 384},
    "5-your-photos": {"size": 32, "steps": 2, "num": 60, "measured": 20},
    "6-your-method": {"steps": 2, "measured": 20}}
LARGEST = 600_000  # bytes of a notebook with its outputs


def read(root, name):
    return json.loads((root / "docs" / "notebooks" / f"{name}.ipynb").read_text("utf-8"))


def sources(notebook):
    """[(the source of a code cell, whether it has the parameters)]."""
    return [("".join(cell["source"]), "parameters" in cell["metadata"].get("tags", ()))
            for cell in notebook["cells"] if cell["cell_type"] == "code"]


def run_cell(source, names):
    """Runs a cell as a notebook does; returns the value of its last line, if that is an expression."""
    magic, _, rest = source.partition("\n")
    written = re.fullmatch(r"%%writefile (\S+)", magic)
    if written:
        with open(written[1], "w", encoding="utf-8") as file:
            file.write(rest)
        return None
    tree = ast.parse(source)
    last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    exec(compile(tree, "<cell>", "exec"), names)
    return None if last is None else eval(compile(ast.Expression(last.value), "<cell>", "eval"), names)


def test_every_notebook_is_known_here(root):
    assert sorted(path.stem for path in (root / "docs" / "notebooks").glob("*.ipynb")) == sorted(PARAMETERS)


@pytest.mark.parametrize("name", PARAMETERS)
def test_it_runs_from_top_to_bottom(root, tmp_path, monkeypatch, capsys, name):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path / "tfds"))
    monkeypatch.syspath_prepend(str(tmp_path))
    matplotlib.pyplot.switch_backend("agg")
    names, parameters, shown = {"__name__": "notebook"}, PARAMETERS[name], []
    for source, has_parameters in sources(read(root, name)):
        value = run_cell(source, names)
        if has_parameters:
            assert set(parameters) <= set(names), "each of them is one of the notebook"
            names.update(parameters)
        if value is not None:
            shown.append(value)
    pictures = [value for value in shown if hasattr(value, "_repr_png_")]
    assert all(value._repr_png_().startswith(b"\x89PNG") for value in pictures)
    assert pictures, "there is something to see"
    matplotlib.pyplot.close("all")
    if "topk" in GANS:
        GANS.unregister("topk")


@pytest.mark.parametrize("name", PARAMETERS)
def test_it_is_committed_with_its_outputs(root, name):
    notebook = read(root, name)
    path = root / "docs" / "notebooks" / f"{name}.ipynb"
    assert path.stat().st_size <= LARGEST
    text = path.read_text("utf-8")
    assert not re.search(r"/(home|root|tmp|work|Users|var)/", text), "no path of the machine that made them"
    outputs = [output for cell in notebook["cells"] if cell["cell_type"] == "code" for output in cell["outputs"]]
    assert not [output for output in outputs if output["output_type"] == "error"]
    assert [output for output in outputs if "image/png" in output.get("data", {})]
    first = sources(notebook)[0][0]
    assert "pip" in first and "REPOSITORY" in first, "the first code cell installs"
    assert sum(has for _, has in sources(notebook)) == 1
