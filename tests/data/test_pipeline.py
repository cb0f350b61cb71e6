"""Order and augmentation: what is shown when, and what of each image."""
import itertools
import types

import numpy as np
import pytest
import tensorflow as tf

from tf2gan.data import pipeline
from tf2gan.data.load import Split
from tf2gan.seeds import fold


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
