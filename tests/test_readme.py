"""The README and docs/: the example of a method works, commands can be typed, links lead somewhere."""
import dataclasses
import importlib.util
import os
import re
import sys

import numpy as np
import pytest
import tool

from tf2gan.gans import GANS
from tf2gan.gans.latent_gan import LatentGAN
from tf2gan.runs.restore import load_gan


@pytest.fixture
def method(root, tmp_path, monkeypatch):
    """The class of the block that begins with its file's name, which registers itself, for as long as the test takes; as a module of
    a file, since AutoGraph needs source."""
    blocks = re.findall(r"^```python\n(# (\w+)\.py\n.*?)^```$", (root / "docs" / "extending.md").read_text("utf-8"),
                        re.MULTILINE | re.DOTALL)
    assert len(blocks) == 1
    (code, name), = blocks
    assert len(code.splitlines()) <= 40
    assert max(map(len, code.splitlines())) <= 120
    path = tmp_path / f"{name}.py"
    path.write_text(code)
    spec = importlib.util.spec_from_file_location(f"tf2gan.gans.{name}", path)
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, spec.name, module)
    spec.loader.exec_module(module)
    found = [value for value in vars(module).values() if isinstance(value, type) and issubclass(value, LatentGAN)
             and value.__module__ == spec.name]
    assert len(found) == 1
    model = next(iter(found[0].presets))
    assert GANS[model] is found[0], "its last line registers it"
    yield found[0]
    GANS.unregister(model)


def weights(folder):
    gan, _ = load_gan(folder)
    return [np.concatenate([weight.numpy().ravel() for weight in network.trainable_variables])
            for network in (gan.generator, gan.discriminator)]


def test_the_example_of_a_method_trains_and_resumes(method, tmp_path, tmp_path_factory):
    model = next(iter(method.presets))
    tiny = {"generator_widths": 8, "discriminator_widths": 8, "generator_filters": 4, "discriminator_filters": 4}
    flags = [text for field in dataclasses.fields(method.Config) if field.name in tiny
             for text in ("--" + field.name.replace("_", "-"), tiny[field.name])]
    args = ["--model", model, *flags, "--dataset", tool.shared_class_images(tmp_path_factory), "--image-size", 28,
            "--batch-size", 4, "--latent-size", 5, "--log-every", 1, "--checkpoint-every", 1, "--sample-every", 0,
            "--deterministic", "--steps", 5]
    expected, folder = tmp_path / "straight", tmp_path / "run"
    process = tool.run_here(*args, "--run-dir", expected)
    assert process.returncode == 0, process.stderr
    lines = tool.metrics(expected)
    assert [line["step"] for line in lines] == [1, 2, 3, 4, 5]
    for name in ("discriminator_loss", "generator_loss"):
        assert np.isfinite([line[name] for line in lines]).all()
        assert len({line[name] for line in lines}) == 5
    tool.run_here_until(3, *args, "--run-dir", folder)
    before = weights(folder)
    process = tool.run_here("--resume", folder)
    assert process.returncode == 0, process.stderr
    tool.assert_same_end(folder, expected)
    for killed, end in zip(before, weights(folder)):
        assert (killed != end).any(), "a network has not moved"
    assert f"  {model} " in tool.run_here("--list").stdout


def pages(root):
    return [root / "README.md", root / "CONTRIBUTING.md", *sorted((root / "docs").rglob("*.md"))]


def blocks(text):
    """The code of a page, and its text without that code."""
    return "".join(re.findall(r"^```.*?\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)), re.sub(
        r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)


def test_tools_run_as_the_pages_type_them(root):
    typed = {name for page in pages(root) for name in re.findall(r"\btools/\w+\.py", page.read_text("utf-8"))}
    assert typed == {f"tools/{file.name}" for file in (root / "tools").glob("*.py")} - {"tools/demo.py"}
    for name in typed:
        assert os.access(root / name, os.X_OK), name
        assert (root / name).read_text("utf-8").startswith("#!/usr/bin/env python\n"), name


def test_the_readme_is_a_door(root):
    text = (root / "README.md").read_text("utf-8")
    assert len(text.encode()) <= 10_000
    linked = set(re.findall(r"\]\((docs/\w[\w/-]*\.md)", text))
    assert linked == {str(page.relative_to(root)) for page in (root / "docs").rglob("*.md")}


def anchors(text):
    """The anchors of the headings of a page, as code hosts make them."""
    return {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-")
            for title in re.findall(r"^#+ (.*)$", blocks(text)[1], re.MULTILINE)}


def test_links_lead_somewhere(root):
    for page in pages(root):
        text = page.read_text("utf-8")
        for place, anchor in re.findall(r"\]\((?!https?:)([^)#\s]*)(?:#([^)\s]*))?\)", blocks(text)[1]):
            target = page.parent / place if place else page
            assert target.exists(), f"{page.name}: {place}"
            if anchor:
                assert anchor in anchors(target.read_text("utf-8")), f"{page.name}: {place}#{anchor}"


def test_every_picture_is_shown(root):
    shown = {place for page in pages(root) for place in re.findall(r"[\w-]+\.png", page.read_text("utf-8"))}
    assert {path.name for path in (root / "docs").rglob("*.png")} <= shown


def test_options_of_commands_exist(root):
    """Each --option of a command is one of that tool; of tools/train.py, of a method."""
    from tf2gan.gans import GANS

    methods = {field.name for gan in set(GANS.values()) for field in dataclasses.fields(gan.Config)}
    for page in pages(root):
        for name, options in re.findall(r"^tools/(\w+)\.py (.*)$", blocks(page.read_text("utf-8"))[0], re.MULTILINE):
            done = tool.run_here("--help", tool=name)
            for option in re.findall(r"(?<=\s)--([a-z][a-z0-9-]*)", " " + options.split(" # ")[0]):
                words = option.replace("-", "_")
                of_method = name == "train" and bool({words, words.removeprefix("no")} & methods)
                assert of_method or re.search(rf"--{option}\b", done.stdout), f"{page.name}: tools/{name}.py --{option}"


def test_every_page_is_in_the_site(root):
    """`make docs` writes a site by mkdocs.yml; its strict build also checks links."""
    listed = set(re.findall(r": ([\w/-]+\.md)$", (root / "mkdocs.yml").read_text("utf-8"), re.MULTILINE))
    there = {str(path.relative_to(root / "docs")) for path in (root / "docs").rglob("*.md")}
    assert listed == there | {"index.md", "contributing.md", "changes.md"}
