"""The README: its example of a new method is code that works, its commands can be typed."""
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
    blocks = re.findall(r"^```python\n(# (\w+)\.py\n.*?)^```$", (root / "README.md").read_text("utf-8"),
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


def test_tools_run_as_the_readme_types_them(root):
    typed = set(re.findall(r"^(tools/\w+\.py)", (root / "README.md").read_text("utf-8"), re.MULTILINE))
    assert typed == {f"tools/{file.name}" for file in (root / "tools").glob("*.py")} - {"tools/demo.py"}
    for name in typed:
        assert os.access(root / name, os.X_OK), name
        assert (root / name).read_text("utf-8").startswith("#!/usr/bin/env python\n"), name
