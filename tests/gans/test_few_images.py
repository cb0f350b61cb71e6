"""Methods for few images: what FastGAN's discriminator must restore, and what the options of both mean."""
import numpy as np
import pytest
import tensorflow as tf
from noise_gans import batch_of, images_of, make

from tf2gan.cli import train
from tf2gan.core.errors import UserError
from tf2gan.gans.configs import fastgan, projected_gan


def test_the_discriminator_must_restore_real_images():
    gan, run = make("fastgan", restore="l1", augment=None)
    real, fake = images_of(gan), images_of(gan, seed=1)
    made = [tf.fill(real.shape, value) for value in (0.25, -0.5, 0.0)]
    gan.discriminator.restored = lambda images, part, training: [(each, tf.zeros_like(each)) for each in made]
    loss, logs = run(gan.discriminator_loss, real, fake)
    assert float(logs["restored"]) == pytest.approx(0.75)
    assert float(loss) == pytest.approx(float(logs["discriminator_loss"]) + 0.75, rel=1e-5)


def test_what_is_restored_is_what_the_discriminator_sees():
    gan, run = make("fastgan", restore="l1")
    seen, restored = [], gan.discriminator.restored
    gan.discriminator.restored = lambda images, part, training: seen.append((images, part)) or restored(images, part)
    real, shown = images_of(gan), gan.shown
    of_purpose = {}
    gan.shown = lambda images, purpose: of_purpose.setdefault(purpose, shown(images, purpose))
    run(gan.discriminator_loss, real, images_of(gan, seed=1))
    (images, part), = seen
    assert images is of_purpose["real0"] and np.abs(images - real).max() > 0.1
    assert part.dtype == tf.int32 and set(part.numpy()) <= {0, 1, 2, 3}


def test_equal_images_have_no_perceptual_distance():
    gan, _ = make("fastgan")
    images = images_of(gan, 2)
    np.testing.assert_allclose(gan._distance(images, images), [0, 0], atol=1e-6)
    near, far = images + 0.02, images_of(gan, 2, seed=5)
    assert (gan._distance(near, images).numpy() < gan._distance(far, images).numpy()).all()
    grey = images[..., :1]
    np.testing.assert_allclose(gan._distance(grey, 0.5 * grey), gan._distance(*(
        tf.repeat(x, 3, axis=-1) for x in (grey, 0.5 * grey))), rtol=1e-5)


@pytest.mark.parametrize("restore", ["perceptual", None])
def test_a_step(restore):
    gan, run = make("fastgan", restore=restore)
    logs = run(gan.train_step, batch_of(gan))
    assert ("restored" in logs) == (restore is not None)
    assert all(np.isfinite(float(value)) for value in logs.values())


@pytest.mark.parametrize("size, width, judged", [("32", 32, 128), ("64", 32, 128), ("128", 64, 224), ("512", 64, 224)])
def test_small_images_have_small_networks(size, width, judged):
    config = projected_gan.Config(image_size=size)
    config.check()
    assert (config.width, config.judged) == (width, judged)
    assert projected_gan.Config(image_size=size, generator_filters=7, judged_size=160).width == 7
    assert projected_gan.Config(image_size=size, judged_size=160).judged == 160


@pytest.mark.parametrize("method", [fastgan, projected_gan])
@pytest.mark.parametrize("changes, words", [
    ({"image_size": "48"}, "--image-size 48: these networks cannot make it; possible: 32, 64, 128, 256, 512"),
    ({"image_size": "1024"}, "possible: 32, 64"), ({"image_size": "64x32"}, "square"),
    ({"generator_dropout": 0.5}, "--generator-dropout 0.5: these networks have no dropout; possible: 0"),
    ({"generator_filters": 0}, "--generator-filters 0")])
def test_bad_values(method, changes, words):
    with pytest.raises(UserError, match=words):
        method.Config(**changes).check()


def test_maps_that_are_too_small_to_be_judged():
    with pytest.raises(UserError, match="--judged-places 3"):
        projected_gan.Config(judged_places=3).check()


@pytest.mark.parametrize("size", [64, 150])
def test_bad_sizes_for_the_frozen_network(size):
    with pytest.raises(UserError, match=f"--judged-size {size}: must be a multiple of 32, at least 128"):
        projected_gan.Config(judged_size=size).check()


def test_batches_that_cannot_be_compared_are_refused():
    with pytest.raises(UserError, match="^11 images in a batch on a replica: .* groups of 2 to 8, .*--batch-size of "
                                        "another number, or --group-size 1"):
        make("projected", batch_size=11)
    make("projected", batch_size=11, group_size=1)


@pytest.mark.parametrize("size, num", [(128, 4), (224, 4 * 16), (256, 4 * 25)])
def test_networks_of_runs_from_before_there_were_these_options(size, num):
    """All four maps were halved to 1/32 of what the frozen network sees."""
    gan, run = make("projected", judged_size=size, **projected_gan.Config.OLDER)
    assert run(gan.judge, images_of(gan)).shape[1] == num


def test_the_preset_of_the_paper():
    config = projected_gan.PRESETS["paper"]
    config.check()
    assert (config.judged, config.discriminator_widths) == (224, (64, 128, 256, 512))
    gan, _ = make("projected", discriminator_normalization="batch", group_size=1)
    assert gan.discriminator.norms and not gan.discriminator.spreads
    gan, _ = make("projected")
    assert gan.discriminator.spreads and not gan.discriminator.norms


def test_no_evaluations_are_none_of_the_preset_either():
    request, _ = train.parse(["--model", "projected", "--evaluate-every", "0"])
    assert (request.options.evaluate_every, request.options.keep_best) == (0, None)
    request, _ = train.parse(["--model", "projected", "--evaluate-every", "7"])
    assert (request.options.evaluate_every, request.options.keep_best) == (7, "kid")
