"""Gradient accumulation: the parts of a batch make the update of the whole."""
import numpy as np
import pytest
import tensorflow as tf
from noise_gans import EPOCH
from same_update import BATCH, EVERY, STEPS, built, check_same, config_of, example, mixes_images, trained, weights

from tf2gan.core.errors import UserError
from tf2gan.gans import GANS
from tf2gan.gans.accumulation import Parts
from tf2gan.training.loop import build_gan


# Those whose networks make of an image what they make of it alone, and one with batch statistics.
@pytest.mark.parametrize("name, preset", [each for each in EVERY if each[0] in (
    "gan", "dcgan", "progan", "sgan", "cyclegan", "pix2pix", "cut")])
def test_parts_make_the_update_of_the_whole(name, preset):
    """Exactly, unless a network has batch statistics, which are those of a part, or a power iteration at each call."""
    config = config_of(name, preset, batch_size=BATCH // 2, accumulate=2)
    gan, logs = trained(config, name)
    assert gan.images_seen.numpy() == STEPS * config_of(name, preset).images_per_step == STEPS * config.images_per_step
    whole, expected = trained(config_of(name, preset), name)
    assert set(logs) == set(expected)
    if not mixes_images(gan):
        check_same(weights(gan), weights(whole), weights(built(config, name)[0]), 1e-6)
        logs.pop("diversity", None), expected.pop("diversity", None)  # over a part's own images
        assert logs == pytest.approx(expected, rel=1e-4, abs=1e-5)


@pytest.mark.parametrize("name, preset", [("gan", "gan"), ("sgan", "sgan-features"), ("cyclegan", "book")])
def test_replicas_share_each_part(name, preset):
    """Two replicas, two parts each, make the update of one replica in two parts, also with batch statistics."""
    config = config_of(name, preset, batch_size=BATCH // 2, accumulate=2)
    check_same(weights(trained(config, name, replicas=2)[0]), weights(trained(config, name)[0]),
               weights(built(config, name)[0]), 1e-6)


def test_a_part_waits_for_the_gradients_of_the_one_before():
    """In the graph, so that only one part's activations are in memory."""
    gan, strategy = built(config_of("gan", "gan", batch_size=BATCH // 2, accumulate=2), "gan")
    batch = {"images": tf.zeros([BATCH // 2, *gan.image_shape])}
    graph = tf.function(lambda: strategy.run(gan.whole_step, args=[batch, batch]), autograph=False
                        ).get_concrete_function().graph
    after_gradient, operations = {}, graph.get_operations()
    for op in operations:
        before = [each.op for each in op.inputs] + list(op.control_inputs)
        after_gradient[op.name] = any("gradient_tape" in each.name or after_gradient.get(each.name) for each in before)
    waits = [bool(after_gradient[op.name]) for op in operations
             if op.type == "MatMul" and "discriminator" in op.name and "gradient_tape" not in op.name]
    first = waits.index(True)
    assert first >= 1 and waits == [False] * first + [True] * (len(waits) - first) and len(waits) >= 3 * first


@pytest.mark.parametrize("name, preset", [("dcgan", "dcgan"), ("cyclegan", "book")])
def test_on_several_machines(name, preset):
    """Of which this process is one: its strategy has to find its own replica's part of pools and statistics."""
    config = config_of(name, preset, batch_size=BATCH // 2, accumulate=2)
    strategy = tf.distribute.MultiWorkerMirroredStrategy()
    gan = build_gan(GANS[name], config, 1000, strategy, num_epoch=EPOCH)
    batches = [example(gan, name, 0)] * 2
    graph = tf.function(lambda: strategy.run(gan.whole_step, args=batches), autograph=False).get_concrete_function()
    assert graph.graph.get_operations()


def in_graph(parts, *functions):
    return tf.function(lambda: tf.distribute.get_strategy().run(lambda: parts.run(functions)), autograph=False)()


def test_all_parts_meet():
    parts, order = Parts(3), []

    def part(number):
        def function():
            order.append((parts.index, "begins"))
            total = parts.meet(tf.constant(number), tf.add_n)
            order.append((parts.index, "goes on"))
            return total * number
        return function

    found = in_graph(parts, part(1), part(2), part(3))
    assert [int(value) for value in found] == [6, 12, 18]
    assert order == [(0, "begins"), (1, "begins"), (2, "begins"), (0, "goes on"), (1, "goes on"), (2, "goes on")]
    assert parts.index == 0


def test_an_error_in_a_part_is_raised_and_ends_the_others():
    def broken():
        raise KeyError("of the second")

    parts, ended = Parts(2), []

    def first():
        try:
            return parts.meet(tf.zeros([]), tf.add_n)
        finally:
            ended.append(True)

    with pytest.raises(KeyError, match="of the second"):
        in_graph(parts, first, broken)
    assert ended == [True]


def test_parts_that_do_not_do_the_same():
    parts = Parts(2)
    with pytest.raises(RuntimeError, match="different numbers of updates"):
        in_graph(parts, lambda: tf.zeros([]), lambda: parts.meet(tf.zeros([]), tf.add_n))


def test_the_mean_over_a_batch_has_the_gradient_of_the_whole():
    gan, strategy = built(config_of("gan", "gan", batch_size=BATCH // 2, accumulate=2), "gan")
    x = tf.Variable([1.0, 3.0])

    def part(i):
        def function():
            with tf.GradientTape() as tape:
                loss = gan.batch_mean(x[i] * 2.0) ** 2 / 2  # of two parts, which add up
            return tape.gradient(loss, x)
        return function

    found = tf.function(lambda: strategy.run(lambda: gan._parts.run([part(0), part(1)])), autograph=False)()
    np.testing.assert_allclose(sum(tf.convert_to_tensor(each).numpy() for each in found), [8.0, 8.0])  # d (x0 + x1)^2


def test_a_number_of_parts_that_cannot_be():
    with pytest.raises(UserError, match="--accumulate 0: must be at least 1"):
        config_of("gan", "gan", accumulate=0).check()
