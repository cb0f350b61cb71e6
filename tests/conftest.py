"""What several test files share. Imported before any of them, so before TensorFlow has used a device."""
import pathlib

import pytest
import tf2gan  # noqa: F401  first: it imports TensorFlow quietly
import tensorflow as tf

from tf2gan.gans import cyclegan

# Two CPUs for the whole session, since devices cannot be split once TensorFlow has used them. Whatever names no device
# runs on the first, as it would without this.
_CPU = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(_CPU, [tf.config.LogicalDeviceConfiguration()] * 2)

ROOT = pathlib.Path(__file__).parent.parent


@pytest.fixture(scope="session")
def root():
    """The folder that holds tf2gan/, tools/ and tests/."""
    return ROOT


@pytest.fixture(scope="session")
def tiny_config():
    """Function that makes the config of a CycleGAN of a few thousand weights; keyword arguments change fields."""
    def make(**changes):
        values = {"image_size": "32", "batch_size": 2, "pool_size": 4,
                  "generator_filters": 2, "discriminator_filters": 2}
        return cyclegan.Config(**{**values, **changes})

    return make
