"""--precision float16: its updates are near those of float32, and those that overflow are left out."""
import numpy as np
import pytest
import tensorflow as tf
from same_update import built, config_of, example, trained, weights

from tf2gan.gans import loss_scale


@pytest.fixture(autouse=True)
def float32_again():
    yield
    tf.keras.mixed_precision.set_global_policy("float32")


@pytest.mark.parametrize("name, preset", [
    ("gan", "gan"), ("dcgan", "dcgan"), ("progan", "progan"), ("projected", "projected"), ("cyclegan", "default")])
def test_updates_are_near_those_of_float32(name, preset, monkeypatch):
    monkeypatch.setattr(loss_scale, "FIRST", 64.0)  # or the first updates of some would find the scale
    config, moved = config_of(name, preset, batch_size=4), {}
    for precision in ("float32", "float16"):
        start = weights(built(config, name, precision=precision)[0])
        gan, _ = trained(config, name, precision=precision)
        moved[precision] = np.concatenate([(value - start[key]).ravel() for key, value in weights(gan).items()])
        assert len(gan.loss_scales) == (len(gan.optimizers) if precision == "float16" else 0)
    away = np.linalg.norm(moved["float16"] - moved["float32"])
    assert 0 < away < 0.05 * np.linalg.norm(moved["float32"])


def step(gan, strategy):
    batch = example(gan, "dcgan", 0)
    return tf.function(lambda: strategy.run(gan.whole_step, args=[batch] * gan.config.accumulate), autograph=False)


@pytest.mark.parametrize("replicas, accumulate", [(1, 1), (2, 1), (1, 2)])
def test_an_update_that_overflows_is_left_out(replicas, accumulate):
    config = config_of("dcgan", "dcgan", accumulate=accumulate, gradient_clip=1.0, generator_optimizer="adam")
    gan, strategy = built(config, "dcgan", replicas, precision="float16")
    of_discriminator, of_generator = gan.loss_scales if gan.optimizers[0][0] is gan.discriminator_optimizer else (
        gan.loss_scales[::-1])
    of_generator.value.assign(2.0 ** 24)
    before = weights(gan)
    held = [variable.numpy() for variable in gan.generator_optimizer.variables]
    run = step(gan, strategy)
    run()
    trained_names = {f"{v.name} {i}" for i, v in enumerate(gan.trained_variables)
                     if any(v is each for each in gan.generator.trainable_variables)}
    assert trained_names
    after = weights(gan)
    assert all((after[name] == before[name]).all() for name in trained_names)
    assert all((a == v.numpy()).all() for a, v in zip(held, gan.generator_optimizer.variables))
    assert any((after[name] != before[name]).any() for name in set(before) - trained_names)
    assert float(of_generator.value.numpy()) == 2.0 ** 23
    assert int(of_generator.good.numpy()) == 0 and int(of_discriminator.good.numpy()) == 1
    of_generator.value.assign(1.0)
    run()
    after = weights(gan)
    assert any((after[name] != before[name]).any() for name in trained_names)


def test_the_scale_doubles_after_many_good_updates(monkeypatch):
    monkeypatch.setattr(loss_scale, "GROWTH_STEPS", 2)
    gan, strategy = built(config_of("dcgan", "dcgan"), "dcgan", precision="float16")
    scale, run = gan.loss_scales[0], step(gan, strategy)
    scale.value.assign(8.0)
    found = []
    for _ in range(4):
        run()
        found.append((float(scale.value.numpy()), int(scale.good.numpy())))
    assert found == [(8.0, 1), (16.0, 0), (16.0, 1), (32.0, 0)]


def test_no_scale_that_helps_ends_the_training(monkeypatch):
    """As with a gradient that is not finite whatever the scale is."""
    monkeypatch.setattr(loss_scale, "FIRST", 2.0 * loss_scale.LEAST)
    gan, strategy = built(config_of("dcgan", "dcgan"), "dcgan", precision="float16")
    # 0, since no images have been seen, with the gradient 0 / 0.
    gan.generator_loss = lambda logits, *real: tf.reduce_sum(
        tf.sqrt(tf.cast(gan.images_seen, tf.float32) * logits ** 2))
    run = step(gan, strategy)
    logs = [float(strategy.reduce("MEAN", run()["loss_scale"], axis=None)) for _ in range(2)]
    assert logs == [loss_scale.LEAST, loss_scale.LEAST / 2]


def test_a_variable_without_a_gradient():
    config = config_of("cut", "cut", nce_weight=0.0, learning_rate=1e-3)
    gan, _ = trained(config, "cut", precision="float16")
    assert gan.loss_scales


def test_a_checkpoint_has_the_scale(tmp_path):
    config = config_of("dcgan", "dcgan")
    gan, _ = built(config, "dcgan", precision="float16")
    gan.loss_scales[1].value.assign(4.0)
    path = tf.train.Checkpoint(gan=gan).write(str(tmp_path / "state"))
    other, _ = built(config, "dcgan", precision="float16")
    tf.train.Checkpoint(gan=other).read(path).assert_consumed()
    assert float(other.loss_scales[1].value.numpy()) == 4.0
