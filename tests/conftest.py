"""What several test files share. Imported before any of them, so before TensorFlow has used a device."""
import ctypes
import dataclasses
import gc
import os
import pathlib

import pytest

if "PYTEST_XDIST_WORKER" in os.environ:
    # Workers share the cores as it is, and no operation here is large enough for two; for processes they start, too.
    os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")

import tf2gan  # noqa: F401,E402,I001  first: the import of TensorFlow is a quiet one then
import tensorflow as tf  # noqa: E402
import tiers  # noqa: E402
from tensorflow.python.framework import ops  # noqa: E402

from tf2gan.gans import cyclegan  # noqa: E402

# Two CPUs for the whole session, since devices cannot be split once TensorFlow has used them. Whatever names no device
# runs on the first, as it would without this.
_CPU = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(_CPU, [tf.config.LogicalDeviceConfiguration()] * 2)

# Files that take minutes, the longest first: begun at the end, one would keep its worker busy long after all others.
SLOW = ["test_translating.py", "test_noise_resume.py", "test_translation_tools.py", "test_commands.py",
        "test_resume.py", "test_cluster.py", "test_benchmark_tool.py", "test_nothing_is_lost.py",
        "test_contestants.py", "test_accumulation.py", "test_adaptation_tool.py", "test_notebooks.py",
        "test_augmentation.py", "test_formats.py", "test_semi_supervised.py", "test_precision.py",
        "test_latent_gan.py", "test_noise_choices.py", "test_generated.py", "test_translated.py",
        "test_early_stopping.py", "test_train_tool.py", "test_cyclegan.py", "test_two_stacks.py",
        "test_noise_tool.py", "test_docs.py", "test_train.py", "test_protocols.py", "test_divergence.py",
        "test_loop.py", "test_readme.py", "test_classifier.py"]

ROOT = pathlib.Path(__file__).parent.parent
_C = ctypes.CDLL(None)


@pytest.fixture(scope="module", autouse=True)
def _memory_back():
    """Graphs of a file's tests are forgotten at its end: a worker that keeps those of all would need many gigabytes.

    TensorFlow registers each gradient of a tf.custom_gradient that a graph contains, for ever, and with it the graph.
    """
    yield
    registry = ops._gradient_registry._registry
    for name in [name for name in registry if name.startswith("CustomGradient-")]:
        del registry[name]
    gc.collect()
    if hasattr(_C, "malloc_trim"):
        _C.malloc_trim(0)


@pytest.fixture(scope="session")
def root():
    """The folder that holds tf2gan/, tools/ and tests/."""
    return ROOT


@pytest.fixture(scope="session")
def tiny_config():
    """Function that makes the config of a CycleGAN of a few thousand weights, by the book; keywords change fields."""
    def make(**changes):
        values = {"image_size": "32", "batch_size": 2, "pool_size": 4,
                  "generator_filters": 2, "discriminator_filters": 2}
        return dataclasses.replace(cyclegan.CycleGAN.presets["book"], **{**values, **changes})

    return make


def pytest_addoption(parser):
    parser.addoption("--all", action="store_true", help="also the tests that tests/tiers.py leaves to make test-all")
    parser.addoption("--second-stack", action="store_true", help="without those for which tests/tiers.py says that one "
                     "stack is enough")


def pytest_collection_modifyitems(config, items):
    """Slow files first; which of the workers of pytest-xdist takes a file is decided in this order."""
    items.sort(key=lambda item: SLOW.index(item.path.name) if item.path.name in SLOW else len(SLOW))
    typed = [argument for argument in config.invocation_params.args if "::" in str(argument)]
    if typed:  # a test that is named is run
        return
    left = [item for item in items if not config.getoption("--all") and tiers.reason(item)
            or config.getoption("--second-stack") and tiers.one_stack(item)]
    config.hook.pytest_deselected(items=left)
    items[:] = [item for item in items if item not in set(left)]
