"""Figures and lines in the documentation are those of their sources: cards of models, presets, code."""
import importlib.util
import re

import pytest

from tf2gan.gans import GANS

# {method in README's table: [(model, metric, column, how the row says it)]}
README = {
    "dcgan": [("dcgan-mnist", "fid", "model", "FID {:.0f}")],
    "cgan": [("cgan-mnist", "fid", "model", "FID {:.1f}")],
    "progan": [("progan-mnist", "fid", "model", "FID {:.1f}")],
    "cyclegan": [("apple2orange", "kid_a2b", "model", "KID {:.3f}"),
                 ("apple2orange", "kid_a2b", "input", "input {:.3f}"),
                 ("apple2orange", "kid_a2b", "real_train", "real {:.3f}")],
    "projected": [("projected-apples", "kid", "model", "KID {:.3f}")],
    "pix2pix": [("facades", "fid_b2a", "model", "FID {:.0f}"), ("facades", "fid_b2a", "real_train", "real {:.0f}")],
}


def script(root, name):
    """The module docs/NAME.py."""
    spec = importlib.util.spec_from_file_location(name, root / "docs" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def gallery(root):
    return script(root, "gallery")


def test_the_gallery_says_what_the_cards_say(root, gallery):
    assert (root / "docs" / "gallery.md").read_text("utf-8") == gallery.text(), "docs/gallery.py makes it anew"


def test_the_gallery_notices_a_changed_card(gallery, monkeypatch):
    found = gallery.cards()
    folder, card = found["cgan-mnist"]
    figures = [{**card["evaluation"]["figures"][0], "values": {"model": 1.234, "untrained": None}}]
    monkeypatch.setattr(gallery, "cards", lambda: {"cgan-mnist": (folder, {**card, "evaluation": {
        **card["evaluation"], "figures": figures}})})
    assert "| fid, by classifier | 1.23 |  |" in gallery.text()


def test_every_model_has_its_picture_and_words(root, gallery):
    assert set(gallery.cards()) == set(gallery.SHOWN)
    for name in gallery.SHOWN:
        picture = root / "docs" / "gallery" / f"{name}.png"
        assert picture.read_bytes().startswith(b"\x89PNG") and picture.stat().st_size < 700_000


@pytest.mark.parametrize("model", README)
def test_readme_has_the_figures_of_the_cards(root, gallery, model):
    rows = [line for line in (root / "README.md").read_text("utf-8").splitlines()
            if line.startswith("| ") and re.search(rf"`{model}`", line.split("|")[3])]
    (row,) = rows
    for name, metric, column, words in README[model]:
        card = gallery.cards()[name][1]
        value = next(figure["values"][column] for figure in card["evaluation"]["figures"] if figure["metric"] == metric)
        expected = re.sub(r"\b0\.", ".", words.format(value))
        assert expected in row, f"{expected!r}, as the card of {name} says"


@pytest.fixture(scope="module")
def results(root):
    return script(root, "results")


def test_tables_of_figures_are_those_of_their_sources(root, results):
    shown = set()
    for page in (root / "docs").rglob("*.md"):
        text = page.read_text("utf-8")
        assert text == results.filled(text), f"{page.name}: docs/results.py makes it anew"
        shown |= set(re.findall(r"<!-- figures (\S+) -->", text))
    assert shown == set(results.TABLES), "each table is on a page"


def test_what_is_kept_is_shown(root, results, monkeypatch):
    asked, source = set(), results.source
    monkeypatch.setattr(results, "source", lambda name: asked.add(name) or source(name))
    for table in results.TABLES.values():
        list(table.lines())
    kept = {path.stem for path in (root / "docs" / "figures").glob("*.json")}
    assert kept == {name for name in asked if not name.startswith("savedmodels/")}


def test_a_changed_figure_changes_its_table(results, monkeypatch):
    source = results.source
    for name, table in results.TABLES.items():
        before = list(table.lines())

        def changed(wanted):
            found = source(wanted)
            figures = [{**each, "values": {column: value + 0.111 for column, value in each["values"].items()}}
                       for each in found["evaluation"]["figures"]]
            return {**found, "evaluation": {**found["evaluation"], "figures": figures}}

        monkeypatch.setattr(results, "source", changed)
        assert list(table.lines()) != before, name
        monkeypatch.setattr(results, "source", source)


def methods(root):
    return {path.stem: path.read_text("utf-8") for path in (root / "docs" / "methods").glob("*.md")}


def test_every_method_has_a_page(root):
    assert set(methods(root)) == set(GANS)
    for name, text in methods(root).items():
        headings = [line for line in text.splitlines() if line.startswith("## ")]
        assert headings == ["## Its equations, and the lines that are them", "## Its numbers",
                            "## What it has reached here", "## What goes wrong, and how one sees it",
                            "## Use and export"], name
        assert text.splitlines()[2] == "```" and "arxiv.org/abs/" in text


def test_numbers_of_the_pages_are_those_of_the_presets(root):
    numbers = script(root, "preset_tables")
    for name, text in methods(root).items():
        assert f"<!-- numbers {name} -->" in text
        assert text == numbers.filled(text), "docs/preset_tables.py makes them anew"
    assert "| `--batch-size` | 1 | 1 | 1 |" in methods(root)["cyclegan"]


def test_lines_of_code_on_the_pages_are_in_their_files(root):
    for name, text in methods(root).items():
        blocks = re.findall(r"^```python\n# (\S+)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
        assert blocks, name
        for file, code in blocks:
            there = {line.strip() for line in (root / file).read_text("utf-8").splitlines()}
            lacking = [line for line in code.splitlines() if line.strip() not in there]
            assert not lacking, f"docs/methods/{name}.md: not in {file}: {lacking}"
