"""The command tf2gan: its sub-commands are the tools, and --help needs no TensorFlow."""
import os
import subprocess
import sys

import pytest
import tool

import tf2gan
from tf2gan.cli.main import COMMANDS
from tf2gan.gans import GANS


def command(*args, **options):
    """python -m tf2gan, which is what the installed command runs."""
    return subprocess.run([sys.executable, "-m", "tf2gan", *map(str, args)], cwd=tool.ROOT, env=tool.environment(),
                          capture_output=True, text=True, timeout=200, **options)


@pytest.mark.parametrize("args", [
    ["--help"], *([name, "--help"] for name in COMMANDS), ["--version"], ["train", "--version"],
    *(["train", "--model", name, "--help"] for name in GANS), ["train", "--model", "gan-deep", "--help"]],
    ids=" ".join)
def test_help_needs_no_tensorflow(args):
    code = ("import runpy, sys; sys.argv = ['tf2gan', *{!r}]\n"
            "try: runpy.run_module('tf2gan', run_name='__main__')\n"
            "except SystemExit as end: code = end.code or 0\n"
            "assert not {{'tensorflow', 'keras', 'matplotlib'}} & set(sys.modules), 'slow'\nsys.exit(code)")
    done = subprocess.run([sys.executable, "-c", code.format(args)], cwd=tool.ROOT, env=tool.environment(),
                          capture_output=True, text=True, timeout=60)
    assert done.returncode == 0 and done.stderr == "", done.stderr
    assert done.stdout.strip() == f"tf2gan {tf2gan.__version__}" or "usage: " in done.stdout
    if "gan-deep" in args:
        assert "256,512,1024" in done.stdout, "the numbers of the preset"


def test_the_list_of_commands():
    text = command().stdout
    assert text == command("-h").stdout
    for name in COMMANDS:
        assert f"\n  {name} " in text
        assert os.path.exists(tool.ROOT / "tools" / f"{name}.py")
    assert {path.stem for path in (tool.ROOT / "tools").glob("*.py")} == {*COMMANDS, "demo"}


@pytest.mark.parametrize("args, words", [
    (["trian"], "tf2gan: unknown command 'trian': did you mean 'train'? possible: train, sample"),
    (["train", "--model", "gna"], "tf2gan train: unknown model 'gna': did you mean 'gan'?"),
    (["sample", "--run", "/no/where", "--output", "x.png"], "tf2gan sample: /no/where: no such run folder"),
    (["export", "--rum", "x"], "tf2gan export: ")])
def test_bad_input(args, words):
    done = command(*args)
    assert done.returncode == 2 and done.stderr.startswith(words) and len(done.stderr.splitlines()) == 1, done.stderr
    assert done.stdout == ""


def test_tools_are_the_same_command(root):
    """Two lines each, and the same line for the same mistake."""
    for name in COMMANDS:
        lines = (root / "tools" / f"{name}.py").read_text("utf-8").splitlines()
        assert lines == ["#!/usr/bin/env python", "from tf2gan.cli.main import run", "", f'run("{name}")']
        assert os.access(root / "tools" / f"{name}.py", os.X_OK)
    done = subprocess.run([sys.executable, "tools/train.py", "--model", "gna"], cwd=root, env=tool.environment(),
                          capture_output=True, text=True, timeout=60)
    assert done.returncode == 2 and done.stderr.startswith("train.py: unknown model 'gna'")


def test_what_is_typed_is_recorded_and_told(tmp_path, tmp_path_factory):
    """A run of the installed command names that command, not a tool that is not there."""
    data = tool.shared_class_images(tmp_path_factory)
    done = command("train", *tool.small("gan"), "--dataset", data, "--run-dir", tmp_path / "run", "--steps", "1")
    assert done.returncode == 0, done.stderr
    assert tf2gan.Run(tmp_path / "run").record["command"].startswith("tf2gan train --model gan ")
    done = command("train", "--resume", tmp_path / "run")
    assert "nothing to do" in done.stdout
