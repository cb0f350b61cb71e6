"""How Progressive GAN grows: its schedule, what each level shows and moves, and what it generates."""
import dataclasses

import numpy as np
import pytest
import tensorflow as tf
import tool
from noise_gans import SGD, batch_of, changed, check_same, copies, make, state, steps

from tf2gan.core.errors import UserError
from tf2gan.evaluation import during_training
from tf2gan.gans import GANS
from tf2gan.gans.progressive import Config, ProGAN
from tf2gan.models import generation
from tf2gan.training.options import Options
from tf2gan.training.plan import total_images

# 4x4 from 0 on, 8x8 from 100, faded in until 150, 16x16 from 198, faded in until 298.
SCHEDULE = {"image_size": "16", "channels": 1, "batch_size": 10, "batch_sizes": "8:7,16:20", "group_size": 7,
            "fade_images": "100,8:50", "stable_images": "45,4:96", "feature_base": 16, "feature_max": 3}


def at(gan, images_seen):
    gan.images_seen.assign(images_seen)
    return gan


# The schedule.

def test_levels_last_as_long_as_they_are_told_to_in_whole_steps():
    config = Config(**SCHEDULE)
    assert config.changes() == [0, 100, 198]  # 96 images are 10 steps of 10; 50 + 45 are 14 steps of 7
    assert [config.level_at(seen) for seen in (0, 99, 100, 197, 198, 10 ** 9)] == [0, 0, 1, 1, 2, 2]
    assert [config.at(seen).batch_size for seen in (0, 99, 100, 197, 198, 10 ** 9)] == [10, 10, 7, 7, 20, 20]
    assert config.at(150).image_size == "16" and config.of_level(1).image_size == "8"


def test_steps_and_images_are_counted_with_each_levels_batch_size():
    config = Config(**SCHEDULE)
    table = [(0, 0), (1, 10), (10, 100), (11, 107), (24, 198), (25, 218), (124, 2198)]
    for steps_done, images in table:
        assert config.images_in(steps_done) == images and config.steps_in(images) == steps_done
    assert config.steps_in(101) == 11 and config.steps_in(199) == 25  # begun ones count
    critic = dataclasses.replace(config, n_critic=3)
    assert critic.changes() == [0, 120, 225] and critic.images_in(5) == 141
    assert total_images(dataclasses.replace(config, images=199), {}) == 218
    assert total_images(dataclasses.replace(config, images=None, steps=25), {}) == 218


@pytest.mark.parametrize("images_seen, level, alpha", [
    (0, 0, 1.0), (90, 0, 1.0), (100, 1, 0.0), (107, 1, 0.14), (149, 1, 0.98), (156, 1, 1.0), (191, 1, 1.0),
    (198, 2, 0.0), (218, 2, 0.2), (298, 2, 1.0), (10 ** 7, 2, 1.0)])
def test_alpha_is_a_function_of_the_images_seen(images_seen, level, alpha):
    gan = at(make("progan", **SCHEDULE, total=10 ** 9)[0], images_seen)
    assert gan.phase() == {"pretraining": False, "level": level}
    assert float(gan.alpha(level)) == pytest.approx(alpha, abs=1e-7)
    ends = [end for end in (100, 198) if end > images_seen]
    assert gan.phase_end() == (ends[0] if ends else None)


def test_the_plan_tells_where_levels_begin_and_where_a_short_training_ends():
    plan = Config(**SCHEDULE).plan(1000)
    assert plan == "4x4 from 0 on; 8x8 from 100 on, faded in until 150; 16x16 from 198 on, faded in until 298"
    assert Config(**SCHEDULE).plan(198) == plan + "; ends with 198, at 8x8"


def test_pretraining_is_a_phase_beside_the_levels():
    gan, _ = make("progan", **{**SCHEDULE, "pretrain_images": 120}, total=1000)
    found = [(at(gan, seen).phase()["pretraining"], gan.phase()["level"], gan.phase_end()) for seen in (0, 100, 127)]
    assert found == [(True, 0, 100), (True, 1, 120), (False, 1, 198)]


@pytest.mark.parametrize("preset, sizes, ends", [
    ("progan", [4, 8, 16, 32, 64, 128, 256, 512, 1024], [800_000, 2_400_000]),
    ("progan-cifar10", [4, 8, 16, 32], [400_000, 1_200_000, 2_000_000])])
def test_presets_are_the_papers_and_its_authors(preset, sizes, ends):
    config = dataclasses.replace(GANS["progan"].presets[preset], image_size=str(sizes[-1]))
    config.check()
    assert [int(config.of_level(level).image_size) for level in range(config.num_levels)] == sizes
    assert config.changes()[1:][:len(ends)] == ends
    batches = {config.of_level(level).image_size: config.of_level(level).batch_size
               for level in range(config.num_levels)}
    assert {size: batches[size] for size in batches if batches[size] != 16} == (
        {"256": 14, "512": 6, "1024": 3} if preset == "progan" else {})


@pytest.mark.parametrize("batch_size, replicas, group_size, possible", [
    (8, 2, 4, True), (6, 2, 4, True), (14, 1, 4, True), (14, 2, 4, False), (7, 1, 4, False), (5, 1, 4, False),
    (7, 1, 1, True), (7, 1, 7, True), (1, 1, 4, True), (2, 2, 4, True)])
def test_batches_that_cannot_be_grouped_are_refused(batch_size, replicas, group_size, possible):
    """The discriminator would be told nothing of how much images differ."""
    changes = {**SCHEDULE, "batch_size": 8, "batch_sizes": f"16:{batch_size}", "group_size": group_size}
    if possible:
        make("progan", replicas=replicas, **changes)
    else:
        with pytest.raises(UserError, match="16x16 in a batch on a replica: .*--group-size 1"):
            make("progan", replicas=replicas, **changes)


@pytest.mark.parametrize("changes, names", [
    ({"image_size": "28"}, ["--image-size 28", "powers of two from 4 on", "16 and 32"]),
    ({"image_size": "30"}, ["--image-size 30", "powers of two from 4 on", "16 and 32"]),
    ({"image_size": "2"}, ["--image-size 2", "powers of two from 4 on", "4 and 8"]),
    ({"batch_sizes": "8"}, ["--batch-sizes 8", "RESOLUTION:NUMBER"]),
    ({"batch_sizes": "8:0"}, ["--batch-sizes 8:0", "at least 1"]),
    ({"batch_sizes": "9:4"}, ["'9:4'", "power of two"]),
    ({"batch_sizes": "8:4,8:5"}, ["'8:5'", "once"]),
    ({"batch_sizes": "8:5", "half_batches": True}, ["--batch-sizes 8:5", "even"]),
    ({"fade_images": "8:100"}, ["--fade-images 8:100", "nothing of 16"]),
    ({"fade_images": "many"}, ["--fade-images many"]), ({"fade_images": "1_"}, ["--fade-images 1_"]),
    ({"fade_images": "8:_,5"}, ["'8:_'"]),
    ({"fade_images": "1,2"}, ["--fade-images 1,2", "'2'"]),
    ({"stable_images": "-5"}, ["--stable-images -5"]),
    ({"stable_images": ""}, ["--stable-images", "nothing of 4"]), ({"stable_images": "4:5"}, ["nothing of 8"]),
    ({"feature_base": 0}, ["--feature-base 0"]), ({"feature_max": 0}, ["--feature-max 0"]),
    ({"group_size": 0}, ["--group-size 0"])])
def test_bad_values(changes, names):
    with pytest.raises(UserError) as caught:
        Config(**{"image_size": "16", "channels": 1, **changes}).check()
    message = str(caught.value)
    assert "\n" not in message and all(name in message for name in names), message


def test_the_last_resolution_needs_no_number_of_stable_images():
    dataclasses.replace(Config(**SCHEDULE), stable_images="4:96,8:45").check()


def test_the_networks_are_grown_when_the_last_level_is_faded_in():
    assert [Config(**SCHEDULE).grown(seen) for seen in (0, 197, 297, 298, 10 ** 9)] == [False] * 3 + [True] * 2


# What a level shows.

def test_real_images_are_shown_as_far_as_the_level_is_faded_in():
    gan, _ = make("progan", **SCHEDULE)

    def images_of(num):
        return np.random.default_rng(0).uniform(-1, 1, [num, 16, 16, 1]).astype(np.float32)

    def pooled(images, factor):
        return images.reshape([-1, 16 // factor, factor, 16 // factor, factor, 1]).mean(axis=(2, 4))

    np.testing.assert_allclose(gan.real_images(images_of(10), 0, 0.3), pooled(images_of(10), 4), atol=1e-6)
    for level, factor, num in ((1, 2, 7), (2, 1, 20)):
        images = images_of(num)
        below = pooled(images, 2 * factor).repeat(2, axis=1).repeat(2, axis=2)
        for alpha in (0.0, 0.25, 1.0):
            expected = (1 - alpha) * below + alpha * pooled(images, factor)
            np.testing.assert_allclose(gan.real_images(images, level, alpha), expected, atol=1e-6)


@pytest.mark.parametrize("images_seen", [0, 107, 170, 198, 238])
def test_both_players_and_the_real_images_have_the_same_level_and_alpha(images_seen):
    gan, run = make("progan", **SCHEDULE, **SGD)
    at(gan, images_seen)
    level, alpha, calls = gan.phase()["level"], float(gan.alpha(gan.phase()["level"])), []
    for name in ("generator", "discriminator"):
        network = getattr(gan, name)

        def watched(inputs, level, alpha, training, seed, network=network, name=name):
            calls.append((name, inputs.shape, level, float(alpha)))
            return network(inputs, level, alpha, training=training, seed=seed)

        watched.trainable_variables, watched.level_variables = network.trainable_variables, network.level_variables
        setattr(gan, name, watched)
    batch = {"images": tf.constant(np.random.default_rng(0).uniform(-1, 1, [gan.config.at(images_seen).batch_size, 16,
                                                                             16, 1]).astype(np.float32))}
    logs = run(gan.train_step, batch, level=level)
    size, num = 4 * 2 ** level, len(batch["images"])
    fake, shown = ("generator", (num, 5), level, alpha), ("discriminator", (num, size, size, 1), level, alpha)
    assert calls == [fake, shown, shown, shown, fake, shown]  # real, generated, penalty; then the generator's update
    assert float(logs["resolution"]) == size and float(logs["alpha"]) == alpha


# What a level moves.

@pytest.mark.parametrize("images_seen, still", [
    (0, set()), (100, {"conv_1", "to_image_1", "from_image_1"}), (128, set()),
    (170, {"to_image_0", "from_image_0"}),
    (198, {"conv_2", "to_image_2", "from_image_2", "to_image_0", "from_image_0"}),
    (238, {"to_image_0", "from_image_0"}), (400, {"to_image_0", "from_image_0", "to_image_1", "from_image_1"})])
@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_an_update_moves_exactly_the_blocks_that_are_on(optimizer, images_seen, still):
    """`still`: what alpha 0 or 1 has no gradient for, among the levels up to this one; those above never move."""
    gan, run = make("progan", **SCHEDULE, generator_optimizer=optimizer, discriminator_optimizer=optimizer)
    at(gan, images_seen)
    level = gan.phase()["level"]
    above = {f"{kind}_{i}" for i in range(level + 1, 3) for kind in ("conv", "to_image", "from_image")}
    kernels = {layer.name: layer.kernel for network in (gan.generator, gan.discriminator)
               for layer in [*(each for pair in network.levels for each in pair), *network.images, *network.always]}
    names = {f"{network.name}/{layer.name}": layer.kernel for network in (gan.generator, gan.discriminator)
             for layer in [*(each for pair in network.levels for each in pair), *network.images, *network.always]}
    assert len(kernels) < len(names)  # both have a conv_1_0
    before = {name: kernel.numpy().copy() for name, kernel in names.items()}
    size = gan.config.at(images_seen).batch_size
    images = np.random.default_rng(0).uniform(-1, 1, [size, 16, 16, 1]).astype(np.float32)
    run(gan.train_step, {"images": tf.constant(images)}, level=level)
    for name, kernel in names.items():
        moved = (kernel.numpy() != before[name]).any()
        off = any(name.split("/")[1].startswith(part) for part in still | above)
        assert moved != off, (name, moved)


def test_each_player_moves_its_own_variables_only():
    gan, run = make("progan")
    start, condition = state(gan), (1, tf.constant(0.5))
    run(gan.update_discriminator, batch_of(gan)["images"], *condition)
    middle = state(gan)
    run(gan.update_generator, *condition)
    assert changed(start, middle) == {"discriminator"} and changed(middle, state(gan)) == {"generator"}


def test_one_and_two_replicas_make_the_same_updates_over_all_levels():
    results = {}
    for replicas in (1, 2):
        gan, _ = make("progan", replicas=replicas, batch_size=8, fade_images="16", stable_images="8", **SGD,
                      generator_learning_rate=1e-3, discriminator_learning_rate=1e-3)
        logs = steps(gan, 4)  # one at 4x4, two fading, one at 8x8
        assert [log["alpha"] for log in logs] == [1.0, 0.0, 0.5, 1.0]
        results[replicas] = (state(gan), logs)
    check_same(results)


@pytest.mark.parametrize("optimizer", ["adam", "rmsprop"])
def test_optimizers_forget_at_the_start_of_a_level(optimizer):
    gan, _ = make("progan", batch_size=8, fade_images="16", stable_images="16", generator_optimizer=optimizer,
                  discriminator_optimizer=optimizer)
    steps(gan, 2)
    rates = [float(each.learning_rate.numpy()) for each, _ in gan.optimizers]

    def memory():
        return [np.abs(variable.numpy()).sum() for each, _ in gan.optimizers for variable in each.variables
                if "learning_rate" not in variable.name]

    before = memory()
    assert sum(value > 0 for value in before) > 10
    at(gan, 24).begin_phase()  # resumed in the middle of a level
    assert memory() == before
    at(gan, 16).begin_phase()
    assert not any(memory())
    assert [float(each.learning_rate.numpy()) for each, _ in gan.optimizers] == rates == [pytest.approx(1e-3)] * 2
    at(gan, 16)
    start = copies(gan.generator.level_variables(0))
    steps(gan, 1)
    # Adam's first step, with its bias corrected, is the learning rate; without forgetting it would be many times that.
    moved = max(np.abs(a - b).max() for a, b in zip(start, copies(gan.generator.level_variables(0))))
    assert optimizer != "adam" or moved == pytest.approx(1e-3, rel=1e-2)


# What it generates.

def test_what_is_generated_is_of_the_level_that_training_has_come_to_at_full_size():
    gan, _ = make("progan", **SCHEDULE, ema_decay=None)
    latents = gan.latents(3, 0)

    def of_level(level, alpha):
        images = gan.generator(latents, level, alpha).numpy()
        return images.repeat(16 // images.shape[1], axis=1).repeat(16 // images.shape[2], axis=2)

    for seen, level, alpha in ((0, 0, None), (100, 0, None), (128, 1, 0.56), (170, 1, None), (248, 2, 0.5),
                               (300, 2, None)):
        images = at(gan, seen).generate(latents).numpy()
        assert images.shape == (3, 16, 16, 1)
        np.testing.assert_allclose(images, of_level(level, alpha), atol=1e-6)
    assert np.abs(of_level(2, None) - of_level(1, None)).max() > 0.1


def test_a_level_that_has_not_begun_to_learn_is_not_shown():
    """Where nothing is faded in, its untrained layers would be all that is seen."""
    gan, _ = make("progan", **{**SCHEDULE, "fade_images": "0", "stable_images": "100"})
    latents = gan.latents(3, 0)
    before, start, after = (at(gan, seen).generate(latents).numpy() for seen in (90, 100, 107))
    np.testing.assert_array_equal(start, before)
    assert np.abs(after - start).max() > 0.1


def test_a_graph_that_was_made_while_fading_follows_the_clock():
    gan, _ = make("progan", **SCHEDULE)
    latents, graph = gan.latents(2, 0), tf.function(gan.generate)
    for seen in (210, 240, 290):
        np.testing.assert_allclose(at(gan, seen) and graph(latents), gan.generate(latents), atol=1e-6)


def test_figures_in_training_are_of_the_level_of_the_moment(tmp_path, monkeypatch):
    monkeypatch.setenv("TF2GAN_CACHE_DIR", str(tmp_path / "cache"))
    from PIL import Image
    rng = np.random.default_rng(0)
    (tmp_path / "data").mkdir()
    for i in range(40):
        Image.fromarray(rng.integers(0, 256, [16, 16], np.uint8)).save(tmp_path / "data" / f"{i}.png")
    gan, _ = make("progan", **{**SCHEDULE, "dataset": str(tmp_path / "data")})
    options = Options(evaluate_every=1, evaluate_metrics="swd", evaluate_num=32)
    from tf2gan.data import load
    splits = load.load(gan.config.dataset, ("train",))
    watch = during_training.make(gan, splits, {}, options)
    figures = {}
    for seen in (0, 300):
        figures[seen] = {figure.metric: figure.value for figure in watch(at(gan, seen))}
        anew = during_training.make(gan, splits, {}, options)(gan)
        assert figures[seen] == {figure.metric: figure.value for figure in anew}
    assert figures[0] != figures[300]


def test_values_beyond_the_range_are_clipped_but_keep_their_gradient():
    gan, _ = make("progan", **SCHEDULE)
    at(gan, 300)
    latents, scale = gan.latents(4, 0), tf.constant(3.0)
    gan.generate = lambda latents: scale * tf.reduce_sum(latents) + tf.zeros([4, 16, 16, 1])
    with tf.GradientTape() as tape:
        tape.watch(latents)
        images = generation.signatures(gan)["latents"](latents)["images"]
    assert set(np.unique(images)) <= {0.0, 1.0}
    np.testing.assert_allclose(tape.gradient(images, latents), np.full([4, 5], 4 * 256 * 3.0 / 2), rtol=1e-5)


# A training.

def test_each_level_is_compiled_once_and_has_its_own_batches(tmp_path, tmp_path_factory, monkeypatch):
    traced, train_step = [], ProGAN.train_step

    def recorded(self, *batches, pretraining=False, level=None):
        traced.append((level, pretraining, [tuple(batch["images"].shape) for batch in batches]))
        return train_step(self, *batches, pretraining=pretraining, level=level)

    monkeypatch.setattr(ProGAN, "train_step", recorded)
    # 2 steps of 4 images at 4x4, 8 of 2 at 8x8, and 4 of 4 at 16x16, cut by logs, samples and checkpoints.
    small = [{"8": "16"}.get(word, word) if flag == "--image-size" else word
             for flag, word in zip(("", *tool.small("progan-mnist")), tool.small("progan-mnist"))]
    process = tool.run_here(*small, "--batch-sizes", "8:2", "--steps", 14, "--log-every", 1,
                            "--sample-every", 3, "--checkpoint-every", 2, "--run-dir", tmp_path / "run",
                            "--dataset", tool.shared_class_images(tmp_path_factory))
    assert process.returncode == 0, process.stderr
    assert traced == [(level, False, [(size, 16, 16, 3)]) for level, size in ((0, 4), (1, 2), (2, 4))]
    lines = tool.metrics(tmp_path / "run")
    assert [line["images"] for line in lines] == [4, 8, *range(10, 26, 2), 28, 32, 36, 40]
    assert [line["resolution"] for line in lines] == [4] * 2 + [8] * 8 + [16] * 4
    assert [line["alpha"] for line in lines] == [1, 1, 0, 0.25, 0.5, 0.75, 1, 1, 1, 1, 0, 0.5, 1, 1]
    assert "growth, in images: 4x4 from 0 on; 8x8 from 8 on, faded in until 16; 16x16 from 24 on" in process.stderr
