"""Order and augmentation: what is shown when, and what of each image."""
import dataclasses
import itertools
import types

import numpy as np
import pytest
import tensorflow as tf

from tf2gan.core.seeds import fold
from tf2gan.data import pipeline
from tf2gan.data.load import Split


def split_of(num, name="trainA", size=12):
    """A split whose example i is an image of value i at its corner and noise elsewhere, stored as bytes."""
    images = np.random.default_rng(0).integers(0, 256, [num, size, size, 3], np.uint8)
    images[:, 0, 0, 0] = np.arange(num)
    records = tf.data.Dataset.from_tensor_slices(images.reshape([num, -1]))
    return Split(name, num, records, lambda record: {"image": tf.reshape(record, [size, size, 3])}, record_bytes=100)


def taken(split, num, seed=0, start=0, augment=None):
    return [example["image"].numpy() for example in pipeline.stream(split, seed, start, augment).take(num)]


def ids(*args, **kwargs):
    return [int(image[0, 0, 0]) for image in taken(*args, **kwargs)]


def epochs(numbers, size):
    return [numbers[i:i + size] for i in range(0, len(numbers), size)]


def augmented(example, seed):
    image = pipeline.crop_and_mirror(example["image"], seed, 8, 8, 1.25, mirror=True)
    return {"image": image}


def test_every_example_once_an_epoch_in_a_new_order():
    orders = epochs(ids(split_of(10), 40), 10)
    assert all(sorted(order) == list(range(10)) for order in orders)
    assert len({tuple(order) for order in orders}) == 4


def test_order_is_a_function_of_seed_and_split():
    first = ids(split_of(10), 25)
    assert first == ids(split_of(10), 25)
    assert first != ids(split_of(10), 25, seed=1)
    assert first != ids(split_of(10, "trainB"), 25)


def test_every_example_comes_first_about_equally_often():
    firsts = ids(split_of(4), 240)[::4]
    counts = np.bincount(firsts, minlength=4)
    assert np.all(abs(counts - 15) < 5 * np.sqrt(60 * 3 / 16))


def test_order_does_not_depend_on_the_global_seed():
    orders = []
    for seed in (1, 2):
        tf.random.set_seed(seed)
        orders.append(taken(split_of(6), 14, augment=augmented))
    np.testing.assert_array_equal(*orders)


@pytest.mark.parametrize("start", [1, 6, 7, 8, 14, 19])
def test_resumes_at_any_position(start):
    whole = taken(split_of(7), 22, augment=augmented)
    np.testing.assert_array_equal(taken(split_of(7), 22 - start, start=start, augment=augmented), whole[start:])


def test_an_example_is_augmented_anew_in_each_epoch():
    def crop_only(example, seed):
        return {"image": tf.random.stateless_uniform([1, 1, 1], seed)}

    values = np.ravel(taken(split_of(3), 12, augment=crop_only))
    assert len(set(values.tolist())) == 12


@pytest.mark.parametrize("block_size", [1, 3, 4])
def test_shuffles_a_large_split_in_blocks(monkeypatch, block_size):
    whole = ids(split_of(10), 10)
    monkeypatch.setattr(pipeline, "_SHUFFLE_BYTES", block_size * 100 + 50)
    numbers = ids(split_of(10), 30)
    for order in epochs(numbers, 10):
        for i, block in enumerate(epochs(order, block_size)):
            assert sorted(block) == list(range(10))[i * block_size:(i + 1) * block_size]
    assert numbers[:10] != whole
    assert ids(split_of(10), 13, start=17) == numbers[17:]


def test_blocks_have_different_orders(monkeypatch):
    monkeypatch.setattr(pipeline, "_SHUFFLE_BYTES", 500)
    first, second = epochs(ids(split_of(10), 10), 5)
    assert first != [number - 5 for number in second]


def test_examples_need_not_fit_the_shuffle_memory(monkeypatch):
    monkeypatch.setattr(pipeline, "_SHUFFLE_BYTES", 0)
    assert ids(split_of(4), 8) == [0, 1, 2, 3] * 2


# One image.

def place_image(size):
    """Each pixel tells its row (red) and its column (green)."""
    rows, columns = np.mgrid[:size, :size]
    return np.stack([rows, columns, rows], axis=-1).astype(np.uint8)


def corner(crop):
    """(row, column, step along the columns) of the crop's first pixel, in `place_image`."""
    pixels = np.round((np.asarray(crop) + 1) * 127.5).astype(int)
    return pixels[0, 0, 0], pixels[0, 0, 1], pixels[0, 1, 1] - pixels[0, 0, 1]


def many_corners(num, **kwargs):
    """Corners of `num` random crops of 8 x 8 from 10 x 10, at load_scale 1.25 so that nothing is scaled."""
    crops = tf.data.Dataset.range(num).map(
        lambda i: pipeline.crop_and_mirror(place_image(10), fold(0, i), 8, 8, 1.25, **kwargs))
    return [corner(crop) for crop in crops]


@pytest.mark.parametrize("shape", [(20, 20), (13, 40), (40, 13), (5, 5), (8, 8)])
@pytest.mark.parametrize("seed", [None, [0, 1]])
def test_crops_have_the_size_and_range_asked_for(shape, seed):
    image = np.random.default_rng(0).choice(np.uint8([0, 255]), [*shape, 3])
    crop = pipeline.crop_and_mirror(image, seed, 8, 16, 1.1, mirror=True)
    assert crop.shape == [8, 16, 3] and crop.dtype == tf.float32
    assert -1 <= crop.numpy().min() < -0.1 and 0.1 < crop.numpy().max() <= 1


def test_values_are_scaled_to_minus_one_and_one():
    image = np.broadcast_to(np.uint8([0, 51, 255]), [8, 8, 3])
    crop = pipeline.crop_and_mirror(image, None, 8, 8).numpy()
    np.testing.assert_allclose(crop, np.broadcast_to([-1, -0.6, 1], [8, 8, 3]), atol=1e-6)


def test_without_a_seed_it_is_the_middle():
    for mirror in (False, True):
        crop = pipeline.crop_and_mirror(place_image(10), None, 8, 8, 1.25, mirror)
        assert corner(crop) == (1, 1, 1)


def test_an_image_of_the_right_size_is_left_as_it_is():
    pixels = (pipeline.crop_and_mirror(place_image(8), [0, 1], 8, 8).numpy() + 1) * 127.5
    np.testing.assert_allclose(pixels, place_image(8), atol=1e-4)


def test_all_offsets_are_equally_likely():
    num, crops = 900, many_corners(900)
    counts = {offset: crops.count((*offset, 1)) for offset in itertools.product(range(3), range(3))}
    assert sum(counts.values()) == num, "without mirroring, columns go up"
    assert all(abs(count - num / 9) < 5 * np.sqrt(num / 9 * 8 / 9) for count in counts.values())


def test_half_of_the_images_are_mirrored_at_any_offset():
    num, crops = 400, many_corners(400, mirror=True)
    mirrored = [(row, column - 7) for row, column, step in crops if step == -1]
    assert all(step in (1, -1) for _, _, step in crops)
    assert abs(len(mirrored) - num / 2) < 5 * np.sqrt(num / 4)
    assert set(mirrored) == set(itertools.product(range(3), range(3)))


@pytest.mark.parametrize("transposed", [False, True])
def test_proportions_are_kept(transposed):
    """20 x 40 covers 8 x 8 when it is scaled by 0.4: the middle half of the long side remains."""
    ramp = np.broadcast_to(np.arange(40, dtype=np.uint8)[None, :, None] * 6, [20, 40, 3])
    image = ramp.transpose([1, 0, 2]) if transposed else ramp
    crop = pipeline.crop_and_mirror(image, None, 8, 8).numpy()
    crop = crop.transpose([1, 0, 2]) if transposed else crop
    # Column c of 16 is centered at 2.5 (c + 1/2) - 1/2 of 40; the crop begins at c = 4.
    expected = 6 * (2.5 * (np.arange(4, 12) + 0.5) - 0.5) / 127.5 - 1
    np.testing.assert_allclose(crop, np.broadcast_to(expected[None, :, None], [8, 8, 3]), atol=0.01)


# Batches.

CONFIG = types.SimpleNamespace(seed=0, batch_size=2, image_shape=(12, 12), load_scale=1.0, mirror=False)


def batch_ids(batch):
    return np.round((batch.numpy()[:, 0, 0, 0] + 1) * 127.5).astype(int).tolist()


def test_domains_have_epochs_of_their_own():
    splits = {"trainA": split_of(5), "trainB": split_of(3, "trainB")}
    batches = list(pipeline.unpaired_batches(splits, CONFIG).take(15))
    for name, size in (("x", 5), ("y", 3)):
        assert all(batch[name].shape == [2, 12, 12, 3] for batch in batches)
        numbers = sum([batch_ids(batch[name]) for batch in batches], [])
        assert all(sorted(epoch) == list(range(size)) for epoch in epochs(numbers, size))


def test_batches_resume():
    splits = {"trainA": split_of(5), "trainB": split_of(3, "trainB")}
    config = types.SimpleNamespace(**{**vars(CONFIG), "image_shape": (8, 8), "load_scale": 1.5, "mirror": True})
    whole = list(pipeline.unpaired_batches(splits, config).take(9))
    for left, right in zip(pipeline.unpaired_batches(splits, config, start=8).take(5), whole[4:]):
        np.testing.assert_array_equal(left["x"], right["x"])
        np.testing.assert_array_equal(left["y"], right["y"])


def test_held_out_examples_are_the_first_and_undisturbed():
    splits = {"testA": split_of(5), "testB": split_of(3, "testB")}
    examples = pipeline.unpaired_examples(splits, CONFIG, 2)
    assert batch_ids(examples["x"]) == batch_ids(examples["y"]) == [0, 1]
    assert examples["x"].shape == [2, 12, 12, 3]


# Batches of single images.

def labelled(num=7, size=(12, 12), channels=3, known=True):
    """A labelled split "train": example i has label i and value 30 i at the left column, 0 elsewhere."""
    pixels = np.zeros([num, *size, channels], np.uint8)
    pixels[:, :, 0] = 30 * np.arange(num)[:, None, None]
    records = tf.data.Dataset.from_tensor_slices({"image": pixels, "label": np.arange(num, dtype=np.int64)})
    return Split("train", num, records, dict, record_bytes=100, class_names=tuple("abcdefg"[:num]),
                 image_shape=(*size, channels) if known else (None, None, channels), slow_to_decode=known == "slow")


def image_config(**changes):
    return types.SimpleNamespace(**{"seed": 0, "image_shape": (12, 12), "channels": 3, "mirror": False, **changes})


def image_batches(split, batch_size=4, num=6, start=0, **changes):
    dataset = pipeline.image_batches(split, image_config(**changes), batch_size, start)
    return list(dataset.take(num).as_numpy_iterator())


def joined(batches, name):
    return np.concatenate([batch[name] for batch in batches])


PATHS = pytest.mark.parametrize("known", [True, "slow", False], ids=["held", "as needed", "streamed"])


@PATHS
@pytest.mark.parametrize("share, size", [((0, 1), 4), ((1, 2), 2)])
def test_the_shape_of_batches_is_known_before_there_is_one(known, share, size):
    dataset = pipeline.image_batches(labelled(known=known), image_config(), 4, share=share)
    assert dataset.element_spec == {"images": tf.TensorSpec([size, 12, 12, 3], tf.float32),
                                    "labels": tf.TensorSpec([size], tf.int64)}


@PATHS
def test_image_batches_have_the_order_of_the_stream_and_every_example_once_an_epoch(known):
    batches = image_batches(labelled(known=known), num=7)
    assert all(batch["images"].shape == (4, 12, 12, 3) and batch["images"].dtype == np.float32 for batch in batches)
    labels = joined(batches, "labels")
    assert labels.dtype == np.int64
    expected = [int(example["label"]) for example in pipeline.stream(labelled(), 0).take(28)]
    assert labels.tolist() == expected and len({tuple(epoch) for epoch in epochs(expected, 7)}) == 4
    assert all(sorted(epoch) == list(range(7)) for epoch in epochs(expected, 7))
    assert expected == np.concatenate([pipeline.order(labelled(), 0, epoch) for epoch in range(4)]).tolist()
    np.testing.assert_allclose(joined(batches, "images")[:, 3, 0, 1], 30 * labels / 127.5 - 1, atol=1e-6)


def test_the_order_in_blocks_is_that_of_the_stream(monkeypatch):
    monkeypatch.setattr(pipeline, "_SHUFFLE_BYTES", 350)
    expected = [int(example["label"]) for example in pipeline.stream(labelled(), 3).take(14)]
    assert joined(image_batches(labelled(), 7, 2, seed=3), "labels").tolist() == expected
    assert sorted(expected[:3]) == [0, 1, 2] and expected[6] == 6


def test_what_is_held_and_what_is_streamed_is_the_same():
    for size in ((12, 12), (20, 20), (5, 5)):
        held, streamed = (image_batches(labelled(size=size, known=known)) for known in (True, False))
        np.testing.assert_allclose(joined(held, "images"), joined(streamed, "images"), atol=0.5 / 127.5 + 1e-6)


def test_what_is_slow_to_decode_is_decoded_once_and_only_when_its_turn_comes():
    seen = []
    fast, slow = labelled(), labelled(known="slow")

    def decode(record):
        label = tf.numpy_function(lambda label: seen.append(int(label)) or label, [record["label"]], tf.int64)
        return {**record, "label": tf.ensure_shape(label, [])}

    counted = dataclasses.replace(slow, decode=decode)
    for size in ((12, 12), (6, 6)):
        changes = {"image_shape": size, "mirror": True}
        dataset = iter(pipeline.image_batches(counted, image_config(**changes), 1))
        expected = image_batches(fast, 1, 20, **changes)
        found = [next(dataset)]
        assert len(seen) < 7, "an image, and those that are fetched ahead"
        found += [next(dataset) for _ in range(19)]
        for name in ("images", "labels"):
            np.testing.assert_array_equal([batch[name] for batch in found], [batch[name] for batch in expected])
        assert sorted(seen) == list(range(7))
        seen.clear()


@pytest.mark.parametrize("split, changes, held", [
    (labelled(), {}, True), (labelled(known="slow"), {}, True), (labelled(size=(6, 6)), {}, True),
    (labelled(size=(6, 12)), {}, False),
    (labelled(size=(6, 12)), {"image_shape": (12, 24)}, True), (labelled(known=False), {}, False)])
def test_only_what_needs_no_random_crop_and_has_room_is_held(monkeypatch, split, changes, held):
    made = []
    decoder = pipeline._decoder
    monkeypatch.setattr(pipeline, "_decoder", lambda *args: made.append(1) or decoder(*args))
    image_batches(split, num=1, **changes)
    assert bool(made) == held
    monkeypatch.setattr(pipeline, "_HELD_BYTES", 7 * 12 * 12 * 3 - 1)
    made.clear()
    image_batches(split, num=1, **changes)
    assert not made


@PATHS
@pytest.mark.parametrize("start", [1, 4, 6, 7, 8, 21, 23])
def test_image_batches_resume_at_any_position(known, start):
    whole = image_batches(labelled(known=known), 1, 33, mirror=True)
    rest = image_batches(labelled(known=known), 5, 2, start=start, mirror=True)
    for name in ("images", "labels"):
        np.testing.assert_array_equal(joined(rest, name), joined(whole, name)[start:start + 10])


def test_batches_larger_than_an_epoch():
    labels = joined(image_batches(labelled(3), 8, 3, start=2), "labels")
    assert labels.tolist() == [int(e["label"]) for e in pipeline.stream(labelled(3), 0, start=2).take(24)]


@PATHS
def test_half_is_mirrored_anew_in_each_epoch_and_only_when_asked(known):
    def sides(**changes):
        """-1 where the bright column is on the left, 1 where it is on the right, [epochs, examples] by label."""
        batches = image_batches(labelled(known=known), 70, 6, **changes)
        labels, images = joined(batches, "labels"), joined(batches, "images")
        found = np.sign(images[:, 0, -1, 0] - images[:, 0, 0, 0])
        return np.stack([found[i:i + 7][np.argsort(labels[i:i + 7])] for i in range(0, 420, 7)])[:, 1:]

    assert (sides() == -1).all()
    mirrored = sides(mirror=True)
    assert abs(mirrored.mean()) < 5 / np.sqrt(360) and set(np.unique(mirrored)) == {-1, 1}
    assert all(len(set(column)) == 2 for column in mirrored.T)
    np.testing.assert_array_equal(mirrored, sides(mirror=True))
    assert (mirrored != sides(mirror=True, seed=1)).any()


@PATHS
def test_grey_is_tiled_and_colour_becomes_luma(known):
    grey = image_batches(labelled(channels=1, known=known))
    np.testing.assert_array_equal(joined(grey, "images"), joined(image_batches(labelled(known=known)), "images"))
    one = image_batches(labelled(known=known), channels=1)
    assert one[0]["images"].shape == (4, 12, 12, 1)
    np.testing.assert_allclose(joined(one, "images"), joined(grey, "images")[..., :1], atol=1e-6)

    pixels = np.broadcast_to(np.uint8([200, 100, 50]), [2, 12, 12, 3])
    split = Split("train", 2, tf.data.Dataset.from_tensor_slices({"image": pixels}), dict, 100,
                  image_shape=(12, 12, 3) if known else (None, None, 3))
    luma = image_batches(split, 2, 1, channels=1)[0]
    assert list(luma) == ["images"], "no class names, no labels"
    np.testing.assert_allclose((luma["images"] + 1) * 127.5, 0.299 * 200 + 0.587 * 100 + 0.114 * 50, atol=1)


@PATHS
@pytest.mark.parametrize("num_replicas", [1, 2])
def test_image_batches_are_distributed(known, num_replicas):
    strategy = tf.distribute.MirroredStrategy([f"CPU:{index}" for index in range(num_replicas)],
                                              tf.distribute.ReductionToOneDevice())
    dataset = pipeline.image_batches(labelled(known=known), image_config(mirror=True), 4)
    iterator = iter(strategy.experimental_distribute_dataset(dataset))
    for expected in image_batches(labelled(known=known), num=4, mirror=True):
        parts = strategy.experimental_local_results(next(iterator)["images"])
        assert len(parts) == num_replicas
        np.testing.assert_array_equal(tf.concat(parts, axis=0), expected["images"])


# Examples drawn to be measured.

def drawn(split, num, seed=0, shape=(12, 12, 3)):
    return list(pipeline.drawn(split, shape, num, seed).as_numpy_iterator())


def test_drawn_examples_are_the_first_of_an_epoch_none_twice():
    split = labelled()
    for num in (3, 7, 50):
        found = drawn(split, num, seed=4)
        labels = [int(example["labels"]) for example in found]
        assert labels == pipeline.order(split, 4, 0).numpy().tolist()[:num] and len(set(labels)) == min(num, 7)
        for label, example in zip(labels, found):  # with their labels, and as they are
            assert example["images"].dtype == np.uint8 and example["images"].shape == (12, 12, 3)
            assert (example["images"][:, 0] == 30 * label).all() and not example["images"][:, 1:].any()
    assert [int(example["labels"]) for example in drawn(split, 7, seed=5)] != labels


def test_drawn_examples_at_another_shape():
    (grey,) = drawn(labelled(1), 1, shape=(12, 12, 1))
    assert grey["images"].shape == (12, 12, 1)
    wide = labelled(3, size=(12, 24), known=False)
    for example in drawn(wide, 3, shape=(6, 6, 3)):  # half the size, and the middle, where all is 0
        assert example["images"].shape == (6, 6, 3) and not example["images"].any()
    whole = {int(example["labels"]): example["images"] for example in drawn(wide, 3, shape=(12, 24, 3))}
    assert all((image[:, 0] == 30 * label).all() for label, image in whole.items())


def test_drawn_examples_without_labels():
    (example,) = drawn(split_of(5), 1)
    assert example.keys() == {"images"}
