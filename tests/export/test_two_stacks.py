"""What one generation of TensorFlow writes, the other uses, or says in one line that it cannot.

TF2GAN_OTHER_PYTHON is the interpreter of an environment with the other one; `make test` sets it where both are there.
"""
import importlib.metadata
import os
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf
import tool
from PIL import Image

from tf2gan.core import savedmodel
from tf2gan.export import exporter
from tf2gan.gans import conditional, cyclegan, dcgan, progressive, semi_supervised

DIGITS = {"image_size": "28", "channels": 1, "latent_size": 6}
FILTERS = {"generator_filters": 4, "discriminator_filters": 4}
MAKERS = {  # which between them use every normalization that an export can hold
    "cyclegan": lambda: cyclegan.CycleGAN(cyclegan.Config(image_size="32", **FILTERS)),
    "resnet": lambda: cyclegan.CycleGAN(cyclegan.Config(image_size="32", generator="resnet", num_blocks=1,
                                                         **FILTERS)),
    "dcgan": lambda: dcgan.DCGAN(dcgan.Config(**DIGITS, **FILTERS)),
    "cgan": lambda: conditional.CGAN(conditional.Config(num_classes=3, **DIGITS, **FILTERS)),
    "progan": lambda: progressive.ProGAN(progressive.Config(**{**DIGITS, "image_size": "16"}, feature_base=64,
                                                            feature_max=8)),
    "sgan": lambda: semi_supervised.SGAN(semi_supervised.Config(classes=3, **DIGITS, **FILTERS), total_images=100),
}
# Imports nothing of ours, and no Keras: every signature of floats, on inputs.npz.
PROGRAM = """
import numpy as np, tensorflow as tf
inputs, outputs = np.load("inputs.npz"), {"version": tf.__version__}
for key in inputs:
    if key.count("/") == 2:
        name, signature, _ = key.split("/")
        loaded = tf.saved_model.load(name + "/1")
        given = {other.split("/")[2]: tf.constant(inputs[other]) for other in inputs
                 if other.startswith(name + "/" + signature + "/")}
        for output, value in loaded.signatures[signature](**given).items():
            outputs[name + "/" + signature + "/" + output] = value.numpy()
np.savez("outputs.npz", **outputs)
"""


@pytest.fixture(scope="module")
def other():
    """Function that runs the other stack's Python with arguments and keywords of subprocess.run."""
    python = os.environ.get("TF2GAN_OTHER_PYTHON")
    if not python:
        assert not os.environ.get("TF2GAN_REQUIRE_OTHER"), "TF2GAN_OTHER_PYTHON is not set"
        pytest.skip("there is no environment of the other stack: make latest")

    def run(*args, **options):
        return subprocess.run([python, *map(str, args)], env=tool.environment(), capture_output=True, text=True,
                              check=False, timeout=300, **options)

    return run


@pytest.fixture(scope="module")
def exports(tmp_path_factory):
    """The folder of NAME/1 for each of `MAKERS`, whose weights are such that outputs depend on inputs."""
    folder, random = tmp_path_factory.mktemp("exports"), np.random.default_rng(0)
    tf.keras.utils.set_random_seed(0)
    for name, make in MAKERS.items():
        gan = make()
        for variable in gan.averaged_variables:
            noise = random.normal(0, 0.1, variable.shape)
            variable.assign(variable + (np.abs(noise) if "variance" in variable.name else noise))
        exporter.export(gan, folder / name)
    return folder


def inputs(signature):
    """{name: array} that a signature can be called with."""
    random, made = np.random.default_rng(1), {}
    for name, spec in signature.structured_input_signature[1].items():
        shape = [{0: 3}.get(axis, 32) if size is None else size for axis, size in enumerate(spec.shape)]
        made[name] = (np.arange(3) if spec.dtype.is_integer else random.uniform(0, 1, shape)).astype(
            spec.dtype.as_numpy_dtype)
    return made


def test_an_export_gives_the_same_numbers_there(exports, other):
    given, expected = {}, {}
    for name in MAKERS:
        signatures = savedmodel.load(exports / name).signatures
        for key in {"a2b", "b2a", "latents", "classify"} & set(signatures):
            values = inputs(signatures[key])
            given.update({f"{name}/{key}/{argument}": value for argument, value in values.items()})
            answer = signatures[key](**{argument: tf.constant(value) for argument, value in values.items()})
            expected.update({f"{name}/{key}/{output}": value.numpy() for output, value in answer.items()})
    assert len({key.split("/")[0] for key in expected}) == len(MAKERS)
    np.savez(exports / "inputs.npz", **given)
    done = other("-c", PROGRAM, cwd=exports)
    assert done.returncode == 0, done.stderr
    outputs = dict(np.load(exports / "outputs.npz"))
    if sys.version_info < (3, 12):  # where both lanes would have the newest
        assert str(outputs["version"]) != tf.__version__
    assert outputs.keys() - {"version"} == expected.keys()
    for name, value in expected.items():
        np.testing.assert_allclose(outputs[name], value, atol=1e-5, err_msg=name)
        if value.dtype == np.float32:
            assert np.abs(value[0] - value[1]).max() > 1e-3, name


def test_an_export_gives_the_same_files_there(exports, other, tmp_path):
    for name in ("dcgan", "progan"):
        done = other(tool.ROOT / "tools" / "sample.py", "--savedmodel", exports / name, "--num", 3, "--seed", 5,
                     "--output", tmp_path / "there" / name)
        assert done.returncode == 0, done.stderr
        tool.main("sample")(["--savedmodel", str(exports / name), "--num", "3", "--seed", "5",
                             "--output", str(tmp_path / "here" / name)])
        here = sorted((tmp_path / "here" / name).glob("*.png"))
        assert len(here) == 3
        for path in here:
            with Image.open(path) as expected, Image.open(tmp_path / "there" / name / path.name) as found:
                np.testing.assert_allclose(np.asarray(found, int), np.asarray(expected, int), atol=1)


def test_a_checkpoint_is_refused_there_and_says_what_to_do(other, tmp_path, tmp_path_factory):
    theirs = other("-c", "import importlib.metadata; print(importlib.metadata.version('keras'))").stdout
    if theirs.split(".")[0] == importlib.metadata.version("keras").split(".")[0]:
        assert sys.version_info >= (3, 12)
        pytest.skip("both lanes have the newest TensorFlow")
    folder = tmp_path / "run"
    done = tool.run_here(*tool.small("gan"), "--dataset", tool.shared_class_images(tmp_path_factory), "--steps", 2,
                         "--run-dir", folder)
    assert done.returncode == 0, done.stderr
    for args in (["tools/train.py", "--resume", folder, "--steps", 4],
                 ["tools/sample.py", "--run", folder, "--output", tmp_path / "images"]):
        before = tool.contents(folder)
        done = other(*args, cwd=tool.ROOT)
        line, = done.stderr.splitlines()
        assert done.returncode == 2 and done.stdout == "", done.stderr
        assert f"written by TensorFlow {tf.__version__} with Keras" in line and "tools/export.py" in line
        assert tool.contents(folder) == before and not (tmp_path / "images").exists()
