"""Sets of images: which real ones are taken in which order, what tells them apart, and what a model is asked for."""
import os
import re
import shutil

import numpy as np
import pytest
import shades
from PIL import Image

from tf2gan.core.errors import UserError
from tf2gan.evaluation import image_sets, translated
from tf2gan.models import generation
from tf2gan.runs.restore import load_gan


def taken(images):
    """(images, labels) of a set."""
    batches, labels = zip(*images.batches())
    return np.concatenate(batches), None if labels[0] is None else np.concatenate(labels)


def rows(images):
    return [image.tobytes() for image in images]


# Real images.

@pytest.mark.parametrize("num", [1, 20, 36])
def test_a_random_part_of_a_split_with_its_labels(data, real, num):
    images, labels = taken(real.images("train", num, 5))
    expected, expected_labels = shades.drawn(data, "train", num, 5)
    np.testing.assert_array_equal(images, expected)
    np.testing.assert_array_equal(labels, expected_labels)
    assert images.dtype == np.uint8 and images.shape == (num, 16, 16, 1) and len(set(rows(images))) == num


def test_more_than_there_are_is_all_of_them(data, real):
    everything, _ = shades.files(data / "train")
    for num in (37, 10 ** 6, None):
        images = real.images("train", num)
        assert images.num == 36 and images.image_shape == (16, 16, 1)
        assert sorted(rows(taken(images)[0])) == sorted(rows(everything))


def test_the_order_is_the_seeds_and_not_the_batches(real, monkeypatch):
    straight = rows(taken(real.images("train", 30, 0))[0])
    assert rows(taken(real.images("train", 30, 0))[0]) == straight
    assert rows(taken(real.images("train", 11, 0))[0]) == straight[:11]
    for other in (real.images("train", 30, 1), real.images("test", 22, 0)):
        assert rows(taken(other)[0])[:22] != straight[:22]
    monkeypatch.setattr(image_sets, "batch_size", lambda shape: 7)
    cut = real.images("train", 30, 0)
    assert [len(batch) for batch, _ in cut.batches()] == [7, 7, 7, 7, 2]
    assert rows(taken(cut)[0]) == straight


def test_batches_are_of_half_a_million_pixels():
    assert [image_sets.batch_size([*size, 3]) for size in ((16, 16), (64, 64), (256, 512), (4000, 3000))] == [
        500, 128, 4, 1]


def test_another_size_is_resized_and_cropped_in_the_middle(tmp_path):
    """A wide image, of which the middle is 200 and both ends are 0, and a square one of the same values."""
    wide = np.zeros([8, 16], np.uint8)
    wide[:, 3:13] = 200
    shades.write(tmp_path / "x" / "a.png", wide)
    shades.write(tmp_path / "x" / "b.png", np.full([40, 40], 90, np.uint8))
    real = image_sets.load_real(str(tmp_path / "x"), (8, 8))
    assert (real.image_shape, real.resize) == ((8, 8, 1), "bilinear, antialiased, middle crop")
    assert sorted(np.unique(image).tolist() for image in taken(real.images("train"))[0]) == [[90], [200]]
    assert image_sets.load_real(str(tmp_path / "x"), (8, 8, 3)).image_shape == (8, 8, 3)
    with pytest.raises(UserError, match="different sizes: --image-size"):
        image_sets.load_real(str(tmp_path / "x"))


def test_what_tells_real_images_from_others(data, tmp_path):
    """Also a file that has changed but not in size, as images without compression do."""
    folder = tmp_path / "bitmaps"
    for i, level in enumerate(range(0, 250, 50)):
        (folder / "train").mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full([16, 16], level, np.uint8)).save(folder / "train" / f"{i}.bmp")

    def key(num=3, seed=0, size=None, split="train"):
        return image_sets.load_real(str(folder), size).images(split, num, seed).key

    first = key()
    assert key() == first
    others = [key(num=4), key(seed=1), key(size=(8, 8)), key(size=(16, 16, 3))]
    file = folder / "train" / "0.bmp"
    size, stat = file.stat().st_size, file.stat()
    Image.fromarray(np.full([16, 16], 9, np.uint8)).save(file)
    os.utime(file, ns=(stat.st_atime_ns, stat.st_mtime_ns + 10 ** 6))  # a millisecond later
    assert file.stat().st_size == size
    others.append(key())
    shutil.copytree(folder / "train", folder / "test")
    others.append(key(split="test"))
    found = [repr(each) for each in (first, *others)]
    assert len(set(found)) == len(found)
    assert str(tmp_path) not in "".join(found)


# The reference and the floor.

def copied(data, folder, *splits):
    for split in splits:
        shutil.copytree(data / split.split(":")[0], folder / split.split(":")[-1])
    return str(folder)


@pytest.mark.parametrize("splits, reference, floor", [
    (["train", "test"], "test", "train"), (["train"], "train", None),
    (["train", "test:validation"], "validation", "train"),
    (["train", "test", "test:validation"], "test", "train")])
def test_the_reference_is_held_out_where_that_can_be(data, tmp_path, splits, reference, floor):
    found = image_sets.load_real(copied(data, tmp_path / "x", *splits))
    assert (found.reference, found.floor) == (reference, floor)
    assert (found.label, found.class_names) == ("x", tuple(shades.LEVELS))
    assert found.resize == "none"


def test_a_reference_that_is_asked_for(data, tmp_path):
    folder = copied(data, tmp_path / "x", "train", "test")
    found = image_sets.load_real(folder, reference="train")
    assert (found.reference, found.floor) == ("train", "test")
    with pytest.raises(UserError) as caught:
        image_sets.load_real(folder, reference="validation")
    assert str(caught.value) == f"--split validation: {folder} has train, test"


def test_images_without_classes(data, tmp_path):
    shutil.copytree(data / "train" / "dark", tmp_path / "flat")
    found = image_sets.load_real(str(tmp_path / "flat"))
    assert (found.reference, found.floor, found.class_names) == ("train", None, None)
    assert taken(found.images("train"))[1] is None


def test_a_label_shows_no_folder(tmp_path, monkeypatch):
    (tmp_path / "photos" / "cats").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    for name in (str(tmp_path / "photos" / "cats"), "photos/cats", "./photos/cats/", "~/photos/cats", "../else/cats",
                 "photos/../photos/cats/"):
        assert image_sets.label_of(name) == "cats", name
    monkeypatch.chdir(tmp_path / "photos" / "cats")
    assert image_sets.label_of(".") == "cats"
    assert image_sets.label_of("cycle_gan/apple2orange") == "cycle_gan/apple2orange"
    assert image_sets.slug("cycle_gan/apple2orange-testA") == "cycle-gan-apple2orange-testA"


# Files of a folder.

def test_images_of_a_folder(data):
    images = image_sets.folder_images(str(data / "test"))
    assert (images.name, images.num, images.image_shape) == ("test", 22, (16, 16, 1))
    found, labels = taken(images)
    assert labels is None, "nobody has asked for the classes of a folder"
    assert sorted(rows(found)) == sorted(rows(shades.files(data / "test")[0]))
    some, _ = taken(image_sets.folder_images(str(data / "test"), num=9, seed=4))
    others, _ = taken(image_sets.folder_images(str(data / "test"), num=9, seed=5))
    assert len(set(rows(some))) == 9 and rows(some) != rows(others)


def test_a_folder_and_a_data_set_in_it_are_two_sets(data):
    """They come in two orders, one has labels: what is kept of one must not serve the other."""
    folder = image_sets.folder_images(str(data / "train"))
    real = image_sets.load_real(str(data / "train")).images("train")
    assert rows(taken(folder)[0]) != rows(taken(real)[0])
    assert folder.key != real.key


def test_images_of_mixed_sizes_need_a_size(data, tmp_path):
    shutil.copytree(data / "test" / "dark", tmp_path / "x")
    shades.write(tmp_path / "x" / "large.png", np.full([32, 32], 7, np.uint8))
    with pytest.raises(UserError, match=re.escape(f"{tmp_path / 'x'}: its images have different sizes: --image-size")):
        image_sets.folder_images(str(tmp_path / "x"))
    found, _ = taken(image_sets.folder_images(str(tmp_path / "x"), (8, 8)))
    assert found.shape == (6, 8, 8, 1) and sum((image == 7).all() for image in found) == 1
    assert image_sets.folder_images(str(tmp_path / "x"), (8, 8, 3)).image_shape == (8, 8, 3)


# What a model generates.

@pytest.mark.parametrize("model", shades.RUNS)
def test_generated_images_are_those_of_the_seed(model, tmp_path_factory, monkeypatch):
    gan, _ = load_gan(shades.RUNS[model](tmp_path_factory))
    sampler = generation.Sampler.from_gan(gan)
    images = image_sets.generated(sampler, 20, 5, "mine")
    found, labels = taken(images)
    assert (images.name, images.num, images.image_shape, images.key) == ("mine", 20, (16, 16, 1), None)
    np.testing.assert_array_equal(found, sampler.images(sampler.latents(20, 5), labels))
    by_hand, asked = shades.samples(gan, 20, 5)
    np.testing.assert_allclose(found.astype(int), by_hand, atol=1)  # where rounding is a near tie
    assert len(set(rows(found))) == 20, "a generator that answers to latents"
    if model == "gan":
        assert labels is None
    else:
        np.testing.assert_array_equal(labels, asked)
        assert sorted(np.bincount(labels)) == [6, 7, 7]
        assert labels[:18:2].tolist() != labels[1:18:2].tolist() and labels.tolist() != sorted(labels)
    monkeypatch.setattr(image_sets, "batch_size", lambda shape: 6)
    cut = image_sets.generated(sampler, 20, 5)
    assert [len(batch) for batch, _ in cut.batches()] == [6, 6, 6, 2]
    np.testing.assert_allclose(taken(cut)[0].astype(int), found, atol=1)
    np.testing.assert_array_equal(taken(cut)[1], labels)


def test_translated_images(tmp_path_factory):
    data = translated.load_data(str(shades.shared_domains(tmp_path_factory)), (32, 32), {"model": "cyclegan"})
    source = data.images("testA", 4)
    made = image_sets.translated({"a2b": lambda images: {"images": 1 - images[:, ::-1]}}, "a2b", source, "upside down")
    found, labels = taken(made)
    assert (made.name, made.num, made.key, labels) == ("upside down", 4, None, None)
    np.testing.assert_array_equal(found, 255 - taken(source)[0][:, ::-1])
