"""The contestants in TensorFlow do what they are timed for."""
import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from benchmarks import book, contestants, options

TINY = {"generator_filters": 4, "discriminator_filters": 4}


def job(model, **sizes):
    """Of networks of a few thousand weights."""
    found = options.Options().job(model, "float32", **sizes)
    return {**found, "config": {**found["config"], **TINY}}


@pytest.fixture(scope="module", params=["cyclegan", "dcgan"])
def tiny(request):
    if request.param == "cyclegan":
        return job("cyclegan", image_size="32", batch_size=2)
    return job("dcgan", image_size="8", batch_size=4)


GENERATORS, DISCRIMINATORS = 0, 1  # in the order of a GAN's optimizers


def moved(gan, work):
    """Which players' weights `work()` changes, whatever is frozen at the moment."""
    def weights():
        return [np.concatenate([v.numpy().ravel() for v in variables]) for _, variables in gan.optimizers]

    before = weights()
    work()
    return {player for player, (one, other) in enumerate(zip(before, weights())) if (one != other).any()}


def num_weights(gan):
    return sum(int(np.prod(v.shape)) for network, _ in gan.networks.values() for v in network.trainable_variables)


def test_tf2gan_makes_as_many_steps_as_it_is_asked_for(tiny):
    contestant = contestants.Tf2gan(tiny)
    first = contestant.first_step()
    images = contestant.config.images_per_step
    assert first["images"] == images
    assert contestant.gan.images_seen.numpy() == images
    assert first["parameters"] == num_weights(contestant.gan)
    assert contestant.block(7) > 0
    assert contestant.gan.images_seen.numpy() == 8 * images
    assert len(contestant.each(3)) == 3
    assert contestant.gan.images_seen.numpy() == 11 * images
    profile = contestant.profile(2)
    assert any("Conv2D" in name for name in profile["ops"])
    assert contestant.gan.images_seen.numpy() == 15 * images
    before = contestant.gan.images_seen.numpy()
    assert contestant.gflop() > 0
    assert contestant.pipeline(0.01) > 0
    assert contestant.gan.images_seen.numpy() == before


def test_twice_the_batch_takes_twice_the_operations():
    one, two = (contestants.Tf2gan(job("dcgan", image_size="8", batch_size=size)) for size in (4, 8))
    for contestant in (one, two):
        contestant.build()
    assert two.gflop() == pytest.approx(2 * one.gflop())


def test_plain_has_the_adam_of_keras_and_its_logs_are_numbers(tiny):
    contestant = contestants.Plain(tiny)
    contestant.first_step()
    assert {type(optimizer) for optimizer, _ in contestant.gan.optimizers} == {tf.keras.optimizers.Adam}
    before = contestant.gan.images_seen.numpy()
    logs = contestant.step()
    assert all(isinstance(value, float) and np.isfinite(value) for value in logs.values())
    assert contestant.gan.images_seen.numpy() == before + contestant.config.images_per_step


def test_the_book_trains_each_player_in_its_turn(tiny, monkeypatch):
    contestant = book.make(tiny)
    contestant.first_step()
    assert moved(contestant.gan, contestant.step) == {GENERATORS, DISCRIMINATORS}
    with monkeypatch.context() as patched:
        patched.setattr(contestant._combined, "train_on_batch", lambda *args: None)
        assert moved(contestant.gan, contestant.step) == {DISCRIMINATORS}
    with monkeypatch.context() as patched:
        patched.setattr(contestant, "_train_discriminator", lambda *args: None)
        assert moved(contestant.gan, contestant.step) == {GENERATORS}


def test_a_job_is_of_the_preset_and_what_is_asked_for():
    found = options.Options(batch_size=6).job("dcgan-transpose", "bfloat16")
    assert (found["model"], found["preset"], found["precision"]) == ("dcgan", "dcgan-transpose", "bfloat16")
    assert found["image_shape"] == [32, 32, 3]
    assert found["config"]["batch_size"] == 6
    assert found["config"]["networks"] == "transposed"
    assert set(found["config"]) == {field.name for field in dataclasses.fields(
        contestants.GANS["dcgan"].Config)}
