"""--jit: XLA's update is that without it."""
import dataclasses

import pytest
import tensorflow as tf
from same_update import EVERY, TRANSLATORS, built, check_same, config_of, trained, weights

from tf2gan.core import seeds
from tf2gan.core.errors import UserError
from tf2gan.gans import GANS
from tf2gan.networks.dcgan import UpsamplingGenerator
from tf2gan.training.devices import make_strategy
from tf2gan.training.options import Options

KERAS_2 = hasattr(tf.keras, "__internal__")


@pytest.mark.parametrize("name, preset", EVERY)
def test_the_update_is_the_same(name, preset):
    if KERAS_2 and (name, preset) not in (("gan", "gan"), ("dcgan", "dcgan")):
        pytest.skip("compiled on the newest TensorFlow")
    has_dropout = name not in (*TRANSLATORS, "projected", "fastgan")
    changes = {"generator_dropout": 0.3, "discriminator_dropout": 0.3} if has_dropout else {}
    config = config_of(name, preset, batch_size=4, **changes)
    gan, logs = trained(config, name, jit=True)
    expected, other_logs = trained(config, name)
    check_same(weights(gan), weights(expected), weights(built(config, name)[0]), 1e-4)
    assert logs == pytest.approx(other_logs, rel=1e-3, abs=1e-3)


@pytest.mark.skipif(KERAS_2, reason="compiled on the newest TensorFlow")
@pytest.mark.parametrize("penalized", [False, True])
def test_with_parts_and_with_a_penalty_now_and_then(penalized):
    config = config_of("dcgan", "dcgan", batch_size=4, accumulate=2,
                       **({"penalty": "r1", "penalty_every": 2} if penalized else {}))
    gan, _ = trained(config, "dcgan", jit=True)
    check_same(weights(gan), weights(trained(config, "dcgan")[0]), weights(built(config, "dcgan")[0]), 1e-4)


@pytest.mark.parametrize("shape", [[1], [7, 3], [100, 33]])
@pytest.mark.parametrize("jit", [False, True])
def test_random_numbers_are_those_of_tensorflow(shape, jit):
    seed = tf.constant([3, 4], tf.int64)
    uniform, normal = tf.function(lambda seed: (seeds.uniform(shape, seed), seeds.normal(shape, seed)),
                                  jit_compile=jit)(seed)
    tf.debugging.assert_equal(uniform, tf.random.stateless_uniform(shape, seed))
    tf.debugging.assert_near(normal, tf.random.stateless_normal(shape, seed), 1e-5, 1e-5)


def test_replicas_are_refused():
    with pytest.raises(UserError, match="--jit: XLA compiles the step of one device; possible: --replicas 1"):
        make_strategy(Options(replicas=2, jit=True))


def test_what_xla_lacks_is_one_line(monkeypatch):
    class Own(UpsamplingGenerator):
        def call(self, latents, training=False, seed=None):
            text = tf.strings.to_number(tf.as_string(latents))
            return super().call(latents, training) + 0.0 * tf.reduce_mean(text)

    monkeypatch.setattr(GANS["dcgan"], "make_generator", lambda gan, name: Own(gan.image_shape, 2, name=name))
    config = dataclasses.replace(config_of("dcgan", "dcgan", batch_size=4), ema_decay=None)
    with pytest.raises(UserError, match="--jit: XLA cannot compile this step: .*AsString.*; --nojit goes on without"):
        trained(config, "dcgan", jit=True)
