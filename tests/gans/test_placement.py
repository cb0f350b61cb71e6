"""Nothing in a step runs on the host: its graph has no Python, and no operation that is pinned to another device."""
import pytest
import tensorflow as tf
from noise_gans import EPOCH
from same_update import EVERY, config_of, example

from tf2gan.gans import GANS
from tf2gan.training.devices import make_strategy
from tf2gan.training.loop import build_gan
from tf2gan.training.options import Options

DEVICE = "CPU:1"  # stands for a GPU: what does not follow the strategy is on CPU:0, or nowhere
PYTHON = ("PyFunc", "PyFuncStateless", "EagerPyFunc", "NumpyFunction")


def operations(function):
    """All operations of a graph, and of the functions that it calls: {name: (type, device)}."""
    graph = function.get_concrete_function().graph
    found = {operation.name: (operation.type, operation.device) for operation in graph.get_operations()}
    for inner in graph.as_graph_def().library.function:
        found.update({f"{inner.signature.name}/{node.name}": (node.op, node.device) for node in inner.node_def})
    return found


def traced(name, preset):
    make_strategy(Options(replicas=2))  # so that this process has CPU:1
    strategy = tf.distribute.MirroredStrategy([DEVICE])
    gan = build_gan(GANS[name], config_of(name, preset), 1000, strategy, num_epoch=EPOCH)
    with tf.device(DEVICE):
        batches = [example(gan, name, seed) for seed in range(gan.batches_per_step)]
    step = tf.function(lambda *given: strategy.run(gan.whole_step, args=given), autograph=False)
    specs = [{key: tf.TensorSpec(value.shape, value.dtype) for key, value in batch.items()} for batch in batches]
    return operations(tf.function(step, autograph=False, input_signature=specs))


def astray(found):
    return {each for each, (kind, device) in found.items() if kind in PYTHON or device.endswith("CPU:0")}


@pytest.mark.parametrize("name, preset", EVERY)
def test_a_step_stays_on_its_device(name, preset):
    found = traced(name, preset)
    assert sum(device.endswith(DEVICE) for _, device in found.values()) > 50
    assert astray(found) == set()


@pytest.mark.parametrize("strange", [
    lambda images: images + tf.numpy_function(lambda x: 0 * x, [images], tf.float32, stateful=False),
    lambda images: pinned(images)], ids=["python", "pinned"])
def test_what_strays_is_found(strange, monkeypatch):
    def shown(gan, images, purpose):
        return tf.ensure_shape(strange(images), images.shape)

    monkeypatch.setattr(GANS["gan"], "shown", shown)
    assert astray(traced("gan", "gan"))


def pinned(images):
    with tf.device("CPU:0"):
        return tf.square(images)
