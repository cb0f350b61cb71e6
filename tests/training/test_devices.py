"""Devices by stand-ins: nobody here has a GPU. What is asked of TensorFlow, and what is refused."""
import os

import pytest
import tensorflow as tf

from tf2gan.core.errors import UserError
from tf2gan.training import devices
from tf2gan.training.options import Options, check_options


@pytest.fixture
def asked(monkeypatch):
    """Two GPUs that are not there; what is asked of them."""
    found = []
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: [f"{kind}:0", f"{kind}:1"])
    monkeypatch.setattr(tf.config, "set_logical_device_configuration",
                        lambda gpu, parts: found.append((gpu, [part.memory_limit for part in parts])))
    monkeypatch.setattr(tf.distribute, "MirroredStrategy", lambda names, **_: found.append(names))
    with devices.settings_kept():
        yield found


def test_all_gpus_or_some(asked):
    devices.make_strategy(Options())
    devices.make_strategy(Options(replicas=1))
    assert asked == [["GPU:0", "GPU:1"], ["GPU:0"]]
    with pytest.raises(UserError, match=r"--replicas 3: this machine has 2 GPU"):
        devices.make_strategy(Options(replicas=3))


def test_a_limit_of_their_memory(asked):
    devices.make_strategy(Options(gpu_memory=2048))
    assert asked == [("GPU:0", [2048]), ("GPU:1", [2048]), ["GPU:0", "GPU:1"]]


def test_a_limit_that_comes_too_late(asked, monkeypatch):
    def refuse(*_):
        raise RuntimeError("Virtual devices cannot be modified after being initialized")

    monkeypatch.setattr(tf.config, "set_logical_device_configuration", refuse)
    with pytest.raises(UserError, match="--gpu-memory 9: this process has begun"):
        devices.make_strategy(Options(gpu_memory=9))


def test_a_limit_without_a_gpu():
    if tf.config.list_physical_devices("GPU"):
        pytest.skip("there is one")
    with devices.settings_kept(), pytest.raises(UserError, match="--gpu-memory 5: TensorFlow sees no GPU here"):
        devices.make_strategy(Options(gpu_memory=5))
    with pytest.raises(UserError, match="--gpu-memory 0: must be at least 1"):
        check_options(Options(gpu_memory=0))


@pytest.mark.parametrize("deterministic", (False, True))
def test_short_floats_only_without_determinism(deterministic, asked, monkeypatch):
    monkeypatch.setattr(tf.config.experimental, "enable_op_determinism", lambda: None)
    devices.make_strategy(Options(deterministic=deterministic))
    assert tf.config.experimental.tensor_float_32_execution_enabled() == (not deterministic)


def test_memory_grows_as_it_is_needed():
    import tf2gan  # noqa: F401

    assert os.environ["TF_FORCE_GPU_ALLOW_GROWTH"] == "true"
