"""For the end-to-end tests: tools/train.py as its users run it, small data, and when two runs are the same run."""
import contextlib
import functools
import hashlib
import importlib
import io
import json
import os
import pathlib
import subprocess
import sys
import threading
import time
import types
import unittest.mock

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from tf2gan.cli.parser import run_tool
from tf2gan.core.errors import UserError
from tf2gan.runs import run_folder
from tf2gan.training.reporter import Reporter

ROOT = pathlib.Path(__file__).resolve().parent.parent
SMALL = ("--model", "cyclegan", "--preset", "book", "--image-size", "32", "--generator-filters", "4",
         "--discriminator-filters", "4")
# All that has a state or throws dice: dropout, a history small enough for swaps, a learning rate that falls.
EVERYTHING = (*SMALL, "--deterministic", "--batch-size", "2", "--dropout", "0.5", "--pool-size", "3",
              "--learning-rate-decay")
# No two of them in step with each other, so that logs, samples and checkpoints cut the training differently.
EVERY = ("--log-every", "2", "--checkpoint-every", "3", "--sample-every", "5")
STEPS, BATCH_SIZE, NUM_IMAGES = 15, 2, {"trainA": 6, "trainB": 7, "testA": 3, "testB": 3}
_SECONDS = 300  # for anything that is waited for; a busy machine takes a minute to trace a step


def make_images(folder):
    """A folder data set of `NUM_IMAGES` small images of mixed sizes and kinds; returns its path."""
    kinds = [("RGB", "png"), ("L", "jpg"), ("RGBA", "png"), ("P", "gif"), ("RGB", "jpeg")]
    rng = np.random.default_rng(0)
    for split, num in NUM_IMAGES.items():
        (folder / split).mkdir(parents=True)
        for i in range(num):
            mode, suffix = kinds[i % len(kinds)]
            pixels = rng.integers(0, 256, [30 + 7 * i, 44 - 3 * i, 3], np.uint8)
            Image.fromarray(pixels).convert(mode).save(folder / split / f"{i}.{suffix}")
    return folder


NUM_CLASS_IMAGES = {"apples": 6, "nuts": 5}
NOISE_PRESETS = ("gan", "gan-smooth", "gan-deep", "dcgan", "dcgan-transpose", "cgan", "wgan", "wgan-gp", "sgan",
                 "sgan-book", "sgan-dense", "sgan-features", "progan", "progan-mnist", "progan-cifar10")


def make_class_images(folder):
    """A folder of one sub folder a class, `NUM_CLASS_IMAGES` images, sizes mixed, grey and colour; returns its path."""
    rng = np.random.default_rng(1)
    for name, num in NUM_CLASS_IMAGES.items():
        (folder / name).mkdir(parents=True)
        for i in range(num):
            pixels = rng.integers(0, 256, [26 + 5 * i, 40 - 2 * i, 3], np.uint8)
            Image.fromarray(pixels).convert("L" if i % 2 else "RGB").save(folder / name / f"{i}.png")
    return folder


def small(preset):
    """Arguments for a preset of a noise-to-image method that make its networks tiny and its images few and small."""
    layers = (("--generator-widths", "8", "--discriminator-widths", "8") if preset.startswith("gan")
              else ("--generator-filters", "4", "--discriminator-filters", "4"))
    if preset == "sgan-dense":  # whose widths are fixed
        layers = ()
    elif preset.startswith("progan"):  # 2 steps at 4x4, 2 to fade 8x8 in, and then 8x8
        layers = ("--feature-base", "32", "--feature-max", "4", "--fade-images", "8", "--stable-images", "8")
    labels = ("--num-labels", "4") if preset.startswith("sgan") else ()
    size = {"dcgan-transpose": "32", "sgan-features": "24"}.get(preset, "8" if preset.startswith("progan") else "28")
    return ("--model", preset, *layers, *labels, "--image-size", size, "--batch-size", "4", "--latent-size", "5")


def once(make):
    """A function of pytest's tmp_path_factory that makes something in the first test that asks, in whatever module."""
    made, lock = [], threading.RLock()

    @functools.wraps(make)
    def shared(tmp_path_factory):
        with lock:
            if not made:
                made.append(make(tmp_path_factory))
        return made[0]

    return shared


@once
def shared_images(tmp_path_factory):
    """The data set that all tests read and none changes."""
    return make_images(tmp_path_factory.mktemp("data") / "fruit")


@once
def shared_class_images(tmp_path_factory):
    """The folder of classes that all tests read and none changes."""
    return make_class_images(tmp_path_factory.mktemp("data") / "harvest")


@once
def straight_run(tmp_path_factory):
    """(folder, finished process) of a run without interruption, which other runs have to equal; not to be changed."""
    folder = tmp_path_factory.mktemp("straight") / "run"
    process = run(*EVERYTHING, *EVERY, "--dataset", str(shared_images(tmp_path_factory)), "--steps", str(STEPS),
                  "--run-dir", str(folder))
    assert process.returncode == 0, process.stderr
    return folder, process


# Running the tool.

def command(*args, sabotage=None):
    """The command line of tools/train.py with `args`; `sabotage`: what tests/saboteur.py is to do to it."""
    start = [sys.executable] + (["tests/saboteur.py", sabotage] if sabotage else [])
    return [*start, "tools/train.py", *map(str, args)]


def environment():
    """Uninstalled, and with plain defaults of TensorFlow's logging, so that its chatter is there to be silenced."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("TF_CPP_", "TFDS_"))}
    return {**kept, "PYTHONPATH": os.pathsep.join([str(ROOT), *filter(None, [kept.get("PYTHONPATH")])])}


def run(*args, sabotage=None):
    """tools/train.py as a process of its own: the CompletedProcess, with stdout and stderr as text."""
    return subprocess.run(command(*args, sabotage=sabotage), cwd=ROOT, env=environment(), capture_output=True,
                          text=True, timeout=_SECONDS)


def run_here(*args, tool="train"):
    """tools/train.py, or another, in this process, which saves the start of TensorFlow: returncode, stdout, stderr."""
    out, err = io.StringIO(), io.StringIO()
    argv, determinism = sys.argv, tf.config.experimental.enable_op_determinism
    sys.argv = [f"tools/{tool}.py", *map(str, args)]
    tf.config.experimental.enable_op_determinism = lambda: None  # there is no way back for the tests that follow
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            run_tool(main(tool), f"{tool}.py")
    except SystemExit as end:
        return types.SimpleNamespace(returncode=end.code or 0, stdout=out.getvalue(), stderr=err.getvalue())
    finally:
        sys.argv, tf.config.experimental.enable_op_determinism = argv, determinism


class Killed(BaseException):
    """What `run_here_until` ends a run with; nothing in the tool catches it."""


def run_here_until(step, *args):
    """`run_here`, ended like a kill as soon as `step` is reached: nothing more is logged or saved."""
    def advance(self, reached, num_images, logs):
        if reached >= step:
            raise Killed

    # Nothing is cleaned up either.
    keep = unittest.mock.patch.object(run_folder, "_remove_remains", lambda path: None)
    with unittest.mock.patch.object(Reporter, "advance", advance), keep:
        try:
            process = run_here(*args)
        except Killed:
            return
    raise AssertionError(f"ended before step {step}: {process}")


def made_run(path, record):
    """A run folder that no training has made: a run_folder.Run with `record` as config.json."""
    path = pathlib.Path(path)
    path.mkdir(parents=True)
    (path / "config.json").write_text(json.dumps(record))
    return run_folder.Run(path)


def main(name):
    """The `main` of tools/NAME.py, in this process."""
    return importlib.import_module(f"tf2gan.cli.{name}").main


class Held:
    """tools/train.py in the background, stopped between two calls at a step until `release`; see saboteur.py."""

    def __init__(self, folder, step, *args, **popen):
        """`folder`: for files of this object; `popen`: stdout or stderr, to have them elsewhere than in `output`."""
        folder.mkdir(exist_ok=True)
        self._held, self._released, self._output = folder / "held", folder / "released", folder / "output"
        with open(self._output, "w") as output:
            self.process = subprocess.Popen(command(*args, sabotage=f"hold:{step}:{folder}"), cwd=ROOT,
                                            env=environment(), **{"stdout": output, "stderr": output, **popen})

    def wait(self):
        """Returns once it is held."""
        wait_until(lambda: self._held.exists() or self.process.poll() is not None)
        assert self.process.poll() is None, self.output

    def release(self):
        self._released.touch()

    def end(self):
        """The exit code; negative for a signal that killed it."""
        return self.process.wait(_SECONDS)

    @property
    def output(self):
        return self._output.read_text()

    def __enter__(self):
        return self

    def __exit__(self, *args):
        self.process.kill()
        self.process.wait()


def wait_until(condition):
    """Returns when `condition()` is true; fails after minutes."""
    end = time.monotonic() + _SECONDS
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)


# Looking at a run.

def checkpoints(run_dir):
    """The steps of the checkpoints that are there, oldest first."""
    return [int(path.name) // BATCH_SIZE for path in sorted((run_dir / "checkpoints").glob("[0-9]*"))]


def tensors(run_dir):
    """{name: array} of everything in the newest checkpoint."""
    reader = tf.train.load_checkpoint(str(max((run_dir / "checkpoints").glob("[0-9]*")) / "state"))
    return {name: reader.get_tensor(name) for name in reader.get_variable_to_shape_map()
            if name != "_CHECKPOINTABLE_OBJECT_GRAPH"}


def metrics(run_dir):
    """The objects of metrics.jsonl."""
    return [json.loads(line) for line in (run_dir / "metrics.jsonl").read_text().splitlines()]


def logged(run_dir):
    """The objects of metrics.jsonl without what depends on the speed of the machine."""
    return [{name: value for name, value in line.items() if name not in ("seconds", "images_per_second")}
            for line in metrics(run_dir)]


def samples(run_dir):
    """{name: bytes} of the sample grids."""
    return {path.name: path.read_bytes() for path in (run_dir / "samples").glob("[!.]*")}


def scalars(run_dir):
    """{name: {images seen: value}} of what TensorBoard reads."""
    found = {}
    for path in run_dir.glob("events*"):
        for record in tf.data.TFRecordDataset(str(path)):
            event = tf.compat.v1.Event.FromString(record.numpy())
            for value in event.summary.value:
                if value.metadata.plugin_data.plugin_name != "images":
                    found.setdefault(value.tag, {})[event.step] = float(tf.make_ndarray(value.tensor))
    return found


def contents(folder):
    """{path: digest} of all files, hidden ones too, to see that nothing has changed."""
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in sorted([folder, *folder.rglob("*")]) if path.is_file()}


def refusal(call, *arguments):
    """The one line with which `call` refuses `arguments`; the current folder has to be left as it was."""
    before = contents(pathlib.Path.cwd())
    with pytest.raises(UserError) as caught:
        call(*arguments)
    assert "\n" not in str(caught.value)
    assert contents(pathlib.Path.cwd()) == before
    return str(caught.value)


def assert_same_end(run_dir, expected_dir):
    """Asserts that two runs ended in the same state, bit for bit, and have logged and sampled the same."""
    assert checkpoints(run_dir)[-1] == checkpoints(expected_dir)[-1]
    found, expected = tensors(run_dir), tensors(expected_dir)
    assert found.keys() == expected.keys()
    different = [name for name in expected if found[name].tobytes() != expected[name].tobytes()]
    assert not different, f"{len(different)} of {len(expected)} tensors differ: {different[:5]}"
    assert_same_history(run_dir, expected_dir)
    assert samples(run_dir).keys() == samples(expected_dir).keys()
    assert len(logged(run_dir)) == len(logged(expected_dir))


def assert_same_history(run_dir, expected_dir):
    """Asserts that what a run has logged and sampled so far is what another one had then."""
    expected = logged(expected_dir)
    for found, line in zip(logged(run_dir), expected):
        assert found == line
    assert len(logged(run_dir)) <= len(expected)
    pictures = samples(expected_dir)
    for name, picture in samples(run_dir).items():
        assert picture == pictures[name], name
