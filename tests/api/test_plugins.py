"""A method in a file of one's own: tf2gan.register, and --plugin of the tools."""
import sys

import pytest
import tool

import tf2gan
from tf2gan.cli import plugins
from tf2gan.gans import GANS

CODE = """
import tf2gan
from tf2gan.gans.vanilla import GAN

class Mine(GAN):
    presets = {"mine": GAN.Config(latent_size=5, generator_widths="4", discriminator_widths="4", batch_size=4, steps=2)}
    preset_options = {"mine": {"log_every": 1, "sample_every": 0}}

tf2gan.register("mine", Mine)
"""


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(CODE)
    yield path
    for name in [name for name in GANS if GANS.plugin(name)]:
        GANS.unregister(name)
    for name in [name for name in sys.modules if name.startswith("tf2gan_plugin_")]:
        del sys.modules[name]


def test_a_method_of_a_file(file, tmp_path, tmp_path_factory):
    data = tool.shared_class_images(tmp_path_factory)
    args = ["--model", "mine", "--dataset", data, "--image-size", "12", "--run-dir", tmp_path / "run"]
    done = tool.run_here(*args)
    assert done.returncode == 2 and "unknown model 'mine'" in done.stderr
    done = tool.run_here("--plugin", file, *args)
    assert done.returncode == 0, done.stderr
    assert tf2gan.Run(tmp_path / "run").record["plugin"] == str(file)
    GANS.unregister("mine")
    del sys.modules["tf2gan_plugin_mine"]
    with pytest.raises(tf2gan.UserError, match=f"unknown model 'mine'.*; it is of {file}, which --plugin loads"):
        tf2gan.load(tmp_path / "run")
    plugins.load(["--plugin", str(file)])
    assert tf2gan.load(tmp_path / "run").sample(2).shape == (2, 12, 12, 3)
    assert "--generator-widths" in tool.run_here("--plugin", file, "--model", "mine", "--help").stdout


@pytest.mark.parametrize("code, words", [
    ("def f(:", "SyntaxError"), ("import no_such_module", "No module named"), ("1 / 0", "ZeroDivisionError"),
    ("import tf2gan; tf2gan.register('mine', int)", "is no method: it has no Config"),
    ("import tf2gan\nfrom tf2gan.gans.vanilla import GAN\ntf2gan.register('gan', GAN)", "a method of tf2gan's own")])
def test_files_that_cannot_be(tmp_path, code, words):
    (tmp_path / "mine.py").write_text(code)
    done = tool.run_here("--plugin", tmp_path / "mine.py", "--model", "mine")
    assert done.returncode == 2 and words in done.stderr and len(done.stderr.splitlines()) == 1, done.stderr


def test_a_file_that_is_not_there(tmp_path):
    for args in (["--plugin", tmp_path / "no.py"], ["--plugin"], [f"--plugin={tmp_path}"]):
        done = tool.run_here("--model", "gan", *args)
        assert done.returncode == 2 and "no such file" in done.stderr, done.stderr
