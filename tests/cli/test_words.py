"""Words on the command line: names that a parser could take for its own, paths, flags that are nearly right."""
import os

import pytest
import tool
from PIL import Image

from tf2gan.cli import sample, train
from tf2gan.cli.main import COMMANDS
from tf2gan.cli.parser import Parser, normalized
from tf2gan.core.errors import UserError


@pytest.mark.parametrize("args, expected", [
    (["--label", "off"], ["--label", "off"]), (["--label=None"], ["--label=None"]), (["--split", "none"], None),
    (["--run-dir=off"], None), (["--output", "none"], None), (["--from-class", "off", "--to-class", "none"], None),
    (["--seed", "off"], ["--seed"]), (["--keep-best", "none"], ["--keep-best"]), (["--ema-decay=off"], ["--ema-decay"]),
    (["--label", "-1"], ["--label=-1"]), (["--output", "-x.png"], ["--output=-x.png"]),
    (["--run", "a", "b"], None), (["--label", "--num", "2"], None),
    (["--run-dir=~/x"], [f"--run-dir={os.path.expanduser('~/x')}"]), (["--output", "~/x"], ["--output",
                                                                                         os.path.expanduser("~/x")]),
    (["--mirror", "--label", "a~b"], None)])
def test_names_are_names_and_only_options_can_be_off(args, expected):
    assert normalized(args) == (args if expected is None else expected)


@pytest.mark.parametrize("words, expected", [
    ("--mirror off", False), ("--mirror=off", False), ("--mirror on", True), ("--mirror", True), ("", False),
    ("--mirror true", True), ("--mirror=False", False), ("--nomirror", False)])
def test_a_switch_that_is_off_is_off(words, expected):
    request, _ = train.parse(["--model", "dcgan", *words.split(), "--steps", "3"])
    assert request.config.mirror is expected
    options = argparse_options(["--run", "x", "--output", "y", *words.replace("mirror", "overwrite").split()])
    assert options.overwrite is expected


def argparse_options(args):
    parser = Parser()
    parser.add_arguments(sample.Options, "options")
    return parser.parse_args(args).options


@pytest.mark.parametrize("flags, words", [
    ("--model dcgan --learning-rate 1", "did you mean --discriminator-learning-rate or --generator-learning-rate?"),
    ("--model dcgan --lr 1", "did you mean --discriminator-learning-rate or --generator-learning-rate?"),
    ("--model cyclegan --lr 1", "did you mean --learning-rate?"),
    ("--model dcgan --cycle-weight 1", "--cycle-weight: it is an option of cyclegan, augmented-cyclegan, cycada; "),
    ("--model cyclegan --n-critic 2", "it is an option of gan, dcgan"),
    ("--model dcgan --size=64", "did you mean --image-size?"), ("--model dcgan --iterations 5", "did you mean --steps?"),
    ("--model dcgan --gpus 2", "did you mean --replicas?"), ("--model dcgan --stepz 2", "did you mean --steps?")])
def test_a_flag_that_is_meant_is_named(flags, words):
    process = tool.run_here(*flags.split())
    assert process.returncode == 2 and words in process.stderr and process.stderr.count("\n") == 1, process.stderr


@pytest.mark.parametrize("flags, words", [
    ("--seed 0,1,x", "--seed 0,1,x: must be a number, or several such as 0,1,2"), ("--seed 1,1", "one is there twice"),
    ("--seed 0,1 --resume x", "--resume is of one"), ("--seed=0,1 --dry-run", "--dry-run is of one"),
    ("--seed 0,1 --stepz 3", "did you mean --steps?")])
def test_several_seeds_that_make_no_sense(flags, words):
    process = tool.run_here("--model", "gan", *flags.split())
    assert process.returncode == 2 and words in process.stderr, process.stderr


def test_a_path_is_no_name_of_a_data_set(tmp_path, monkeypatch):
    (tmp_path / "data" / "plain").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    process = tool.run_here("--model", "gan", "--dataset", "data/plian")
    assert process.returncode == 2
    assert process.stderr == ("train.py: data/plian does not exist; did you mean data/plain? there in data: plain\n")


def test_home_is_expanded_in_every_spelling(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photos").mkdir()
    for number in range(4):
        Image.new("RGB", (8, 8), (9 * number, 0, 0)).save(tmp_path / "photos" / f"{number}.png")
    process = tool.run_here("--model", "gan", "--dataset=~/photos", "--image-size", "8", "--batch-size", "2", "--steps",
                            "1", "--run-dir=~/run")
    assert process.returncode == 0, process.stderr
    assert (tmp_path / "run" / "config.json").exists() and not (tmp_path / "~").exists()


# Where results may be written.

def test_nothing_is_written_into_the_data(tmp_path, monkeypatch):
    data = tmp_path / "data"
    data.mkdir()
    for number in range(4):
        Image.new("RGB", (8, 8), (9 * number, 0, 0)).save(data / f"{number}.png")
    monkeypatch.chdir(data)
    base = ["--model", "gan", "--image-size", "8", "--batch-size", "2", "--steps", "1", "--dataset", "."]
    for more in ([], ["--run-dir", "x"], ["--run-dir", str(data / "deep" / "x")]):
        process = tool.run_here(*base, *more)
        assert process.returncode == 2 and "lies in the folder of the data" in process.stderr, process.stderr
    run = tmp_path / "run"
    assert tool.run_here(*base, "--run-dir", run).returncode == 0
    for name, args in (("sample", ["--output", "x.png"]), ("export", ["--output", "model"]),
                       ("report", ["--output", "x.html"]), ("interpolate", ["--output", "x.gif"]),
                       ("evaluate", ["--nearest", "near", "--metrics", "swd"])):
        with pytest.raises(UserError, match="lies in the folder of the data"):
            tool.main(name)(["--run", str(run), *args])
    assert sorted(path.name for path in data.iterdir()) == [f"{number}.png" for number in range(4)]


def test_a_version_is_no_model(tmp_path):
    run = tmp_path / "run"
    (run).mkdir()
    (run / "config.json").write_text('{"model": "gan", "config": {}, "options": {}, "data": {}}')
    (tmp_path / "m" / "1").mkdir(parents=True)
    (tmp_path / "m" / "1" / "saved_model.pb").write_bytes(b"")
    for output in ("m/1", "m/2"):
        with pytest.raises(UserError, match=f"names a version, not a model: give --output {tmp_path}/m, and --version"):
            tool.main("export")(["--run", str(run), "--output", str(tmp_path / output)])


# The demo.

def test_the_demo_takes_no_options():
    import subprocess
    import sys

    def demo(*args):
        return subprocess.run([sys.executable, "tools/demo.py", *args], cwd=tool.ROOT, env=tool.environment(),
                              capture_output=True, text=True, timeout=200)

    assert demo("--help").returncode == 0 and "usage: demo.py" in demo("--help").stdout
    refused = demo("--steps", "3")
    assert refused.returncode == 2 and "unknown argument --steps" in refused.stderr
    assert set(COMMANDS)
