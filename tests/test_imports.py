"""The order of imports: each package imports only those below it, at any place in its files."""
import ast

import pytest

# From the ground up. A package may import itself and what stands before it; packages in one row do not know each other.
RANKS = [("_version",), ("core",), ("networks",), ("gans",), ("data", "metrics"), ("runs",), ("training", "models"),
         ("latent_space",), ("webpage",), ("export",), ("evaluation", "serving"), ("report",), ("api",), ("cli",)]
# More than the order asks for: {package: packages below it that it does not import either}
FORBIDDEN = {"data": {"gans", "networks"}, "metrics": {"gans", "data"}}
TWO_FACES = {"__init__", "__main__"}  # the package itself and the command: they hand on what stands highest


def imported(file):
    """Dotted names that a file imports at any place; `from a import b` counts as a and as a.b."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: relative import"
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def files(root):
    """{file: the package below tf2gan that it belongs to, or the file's own name}"""
    return {file: file.relative_to(root / "tf2gan").with_suffix("").parts[0]
            for file in sorted((root / "tf2gan").rglob("*.py"))}


def parts(file):
    """Packages below tf2gan that a file imports."""
    return {name.split(".")[1] for name in imported(file) if name.startswith("tf2gan.")}


def rank(part):
    return next(number for number, row in enumerate(RANKS) if part in row)


def test_every_package_has_a_rank(root):
    there = {part for part in files(root).values()} - TWO_FACES
    assert there == {part for row in RANKS for part in row}


def test_imports_go_down_only(root):
    up = [f"{file.relative_to(root)} imports {other}" for file, part in files(root).items() if part not in TWO_FACES
          for other in parts(file) if other in {part for row in RANKS for part in row} and other != part
          and rank(other) >= rank(part)]
    assert not up, up


@pytest.mark.parametrize("part", FORBIDDEN)
def test_what_some_packages_do_not_know(root, part):
    for file in (file for file, of_file in files(root).items() if of_file == part):
        assert not parts(file) & FORBIDDEN[part], file


def test_networks_know_no_losses_and_configs_no_networks(root):
    for file in (root / "tf2gan" / "gans" / "configs").glob("*.py"):
        names = set(imported(file))
        assert not {name for name in names if name.startswith(("tf2gan.networks", "tensorflow"))}, file


def test_no_circle_within_a_package(root):
    """Modules of one package import each other in one direction only."""
    by_module = {".".join(file.relative_to(root).with_suffix("").parts): file for file in files(root)}
    edges = {module: {name for name in imported(file) if name in by_module and name != module}
             for module, file in by_module.items()}

    def reaches(module, seen):
        for other in edges[module]:
            if other not in seen:
                seen.add(other)
                reaches(other, seen)
        return seen

    circles = [module for module in edges if module in reaches(module, set())]
    assert not circles, circles


def test_nothing_imports_tools_or_tests(root):
    for file in files(root):
        assert not {"tools", "tests", "benchmarks"} & {name.split(".")[0] for name in imported(file)}, file


def test_only_layers_knows_of_addons(root):
    knowing = [f.name for f in files(root) if "tensorflow_addons" in f.read_text(encoding="utf-8")]
    assert knowing == ["layers.py"]


def test_the_rules_see_what_they_look_for(root):
    """An empty list of files or of imports would pass everything above."""
    names = set(imported(root / "tf2gan" / "gans" / "cyclegan.py"))
    assert {"tf2gan.gans.losses", "tf2gan.gans.translation.TranslatingGAN", "tensorflow"} <= names
    assert rank("cli") > rank("evaluation") > rank("training") > rank("core")
    assert "data" in parts(root / "tf2gan" / "training" / "job.py")
    assert "evaluation" in parts(root / "tf2gan" / "cli" / "train.py")  # within a function
