"""Imports go down only: tools -> training, export -> gans -> networks, losses, pool -> layers."""
import ast

import pytest

# {a part of tf2gan: what no file of it may import}
FORBIDDEN = {
    "layers": {"networks", "losses", "pool", "gans", "training", "data", "metrics", "images", "latents"},
    "losses": {"networks", "layers", "pool", "gans", "training", "data", "metrics", "images", "latents"},
    "pool": {"networks", "losses", "gans", "training", "data", "metrics", "images", "latents"},
    "networks": {"losses", "pool", "gans", "training", "export", "data", "metrics", "images", "latents"},
    "gans": {"training", "export", "data", "metrics", "images", "latents"},
    "data": {"gans", "networks", "training", "export"},
    "metrics": {"gans", "networks", "training", "export", "hub"},
    "images": {"gans", "networks", "training", "export"},
    "animation": {"gans", "networks", "training", "export"},
    "latents": {"gans", "training", "export"},
    "downloads": {"gans", "networks", "training", "export", "data", "metrics", "images", "latents", "hub"},
    "hub": {"networks", "training", "export", "data"},
}


def imported(file):
    """Dotted names that a file imports at any place; `from a import b` counts as a and as a.b."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: relative import"
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def files(root, part=None):
    found = sorted((root / "tf2gan").rglob("*.py"))
    return [f for f in found if part is None or f.relative_to(root / "tf2gan").with_suffix("").parts[0] == part]


@pytest.mark.parametrize("part", FORBIDDEN)
def test_imports_go_down_only(root, part):
    for file in files(root, part):
        used = {name.split(".")[1] for name in imported(file) if name.startswith("tf2gan.")}
        assert not used & FORBIDDEN[part], file


def test_nothing_imports_tools_or_tests(root):
    for file in files(root):
        assert not {"tools", "tests"} & {name.split(".")[0] for name in imported(file)}, file


def test_only_layers_knows_of_addons(root):
    knowing = [f.name for f in files(root) if "tensorflow_addons" in f.read_text(encoding="utf-8")]
    assert knowing == ["layers.py"]


def test_the_rules_see_what_they_look_for(root):
    """An empty list of files or of imports would pass everything above."""
    assert all(files(root, part) for part in ("layers", "losses", "pool", "networks", "gans", "data", "images"))
    names = set(imported(root / "tf2gan" / "gans" / "cyclegan.py"))
    assert {"tf2gan.losses", "tf2gan.pool.ImagePool", "tensorflow"} <= names
