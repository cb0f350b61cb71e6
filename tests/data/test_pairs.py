"""Pairs of images: every layout, what does not match, what is made of photographs, and that pairs stay together."""
import shutil

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from tf2gan.core.errors import UserError
from tf2gan.data import memory, pairs, pipeline
from tf2gan.gans.configs.pix2pix import Config


def picture(number, height=20, width=30, domain="A"):
    """Pixels that tell the number of the pair, the domain and the place: red, green, blue."""
    rows, columns = np.mgrid[:height, :width]
    red = np.full([height, width], 10 * number)
    return np.stack([red, np.full([height, width], 200 * (domain == "B")), 3 * rows + 2 * columns], -1).astype(np.uint8)


def write(path, pixels):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


def side_by_side(root, names, first=0):
    for number, name in enumerate(names, first):
        write(root / f"{name}.png", np.concatenate([picture(number), picture(number, domain="B")], axis=1))


def two_folders(a, b, num, first=0):
    for number in range(first, first + num):
        write(a / f"{number}.png", picture(number))
        write(b / f"{number}.bmp", picture(number, domain="B"))  # only the name before the suffix counts


LAYOUTS = {
    "side by side": lambda root: (side_by_side(root / "train", "abcd"), side_by_side(root / "test", "xy", 4)),
    "side by side, val": lambda root: (side_by_side(root / "train", "abcd"), side_by_side(root / "val", "xy", 4)),
    "trainA": lambda root: (two_folders(root / "trainA", root / "trainB", 4),
                            two_folders(root / "testA", root / "testB", 2, 4)),
    "train/A": lambda root: (two_folders(root / "train" / "A", root / "train" / "B", 4),
                             two_folders(root / "test" / "A", root / "test" / "B", 2, 4)),
    "A/train": lambda root: (two_folders(root / "A" / "train", root / "B" / "train", 4),
                             two_folders(root / "A" / "val", root / "B" / "val", 2, 4)),
}
WITHOUT_TEST = {
    "side by side": lambda root: side_by_side(root, "abcdef"),
    "side by side in train": lambda root: side_by_side(root / "train", "abcdef"),
    "A and B": lambda root: two_folders(root / "A", root / "B", 6),
    "trainA": lambda root: two_folders(root / "trainA", root / "trainB", 6),
}


def numbers(split):
    """The pair's number and the domain of each example."""
    found = [example["image"] for example in split.records.map(split.decode).as_numpy_iterator()]
    assert len(found) == split.num_examples
    return [(int(image[0, 0, 0]) // 10, "AB"[int(image[0, 0, 1]) // 200]) for image in found]


def refusal(*args, **kwargs):
    with pytest.raises(UserError) as caught:
        pairs.load_pairs(*args, **kwargs)
    return str(caught.value)


def load(root, **recipe):
    return pairs.load_pairs(str(root), pairs.Recipe(**recipe))


# Folders.

@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts(layout, tmp_path):
    LAYOUTS[layout](tmp_path)
    splits = load(tmp_path)
    assert list(splits) == ["trainA", "trainB", "testA", "testB"]
    for kind, expected in (("train", range(4)), ("test", range(4, 6))):
        for domain in "AB":
            split = splits[f"{kind}{domain}"]
            assert numbers(split) == [(number, domain) for number in expected]
            assert split.name == f"{kind}{domain}" and split.image_shape == (20, 30, 3)
        assert splits[f"{kind}A"].names == splits[f"{kind}B"].names and len(splits[f"{kind}A"].names) == len(expected)
    prints = [split.fingerprint for split in splits.values()] + [split.version for split in splits.values()]
    assert all(prints)


@pytest.mark.parametrize("layout", WITHOUT_TEST)
def test_the_last_tenth_is_held_out_and_said(layout, tmp_path, capsys):
    WITHOUT_TEST[layout](tmp_path)
    splits = load(tmp_path)
    for domain in "AB":
        assert numbers(splits[f"train{domain}"]) == [(number, domain) for number in range(5)]
        assert numbers(splits[f"test{domain}"]) == [(5, domain)]
    assert splits["testA"].names == splits["testB"].names
    said = capsys.readouterr()
    assert (said.out + said.err).count("has no test images: the last 1 of 6 are held out") == 1


def test_one_pair_cannot_be_divided(tmp_path):
    side_by_side(tmp_path, "a")
    assert "at least 2 are needed, of which one is held out" in refusal(str(tmp_path), pairs.Recipe())


def test_all_without_a_partner_are_named(tmp_path):
    LAYOUTS["trainA"](tmp_path)
    (tmp_path / "trainB" / "1.bmp").unlink()
    (tmp_path / "trainB" / "3.bmp").unlink()
    (tmp_path / "testA" / "4.png").unlink()
    lines = refusal(str(tmp_path), pairs.Recipe()).splitlines()
    assert "3 images have no partner that fits" in lines[0] and len(lines) == 4
    for line, name in zip(lines[1:], ("trainA/1.png", "trainA/3.png", "testB/4.bmp")):
        assert line.strip().startswith(str(tmp_path / name)) and "no image of this name in" in line


def test_all_of_other_sizes_are_named(tmp_path):
    LAYOUTS["A/train"](tmp_path)
    write(tmp_path / "B" / "train" / "2.bmp", picture(2, 20, 31, "B"))
    lines = refusal(str(tmp_path), pairs.Recipe()).splitlines()
    assert len(lines) == 2 and "2.bmp: 31x20" in lines[1] and "2.png: 30x20" in lines[1]


def test_what_is_not_two_images_side_by_side_is_named(tmp_path):
    LAYOUTS["side by side"](tmp_path)
    write(tmp_path / "train" / "b.png", picture(1, 20, 31))
    write(tmp_path / "test" / "x.png", picture(1, 20, 10))
    lines = refusal(str(tmp_path), pairs.Recipe()).splitlines()
    assert len(lines) == 3 and "b.png: 31x20, not two images of the same size side by side" in lines[1]
    assert "x.png: 10x20" in lines[2]


def test_pairs_of_several_sizes(tmp_path):
    LAYOUTS["trainA"](tmp_path)
    for domain in "AB":
        (tmp_path / f"train{domain}" / f"2.{'png' if domain == 'A' else 'bmp'}").unlink()
        write(tmp_path / f"train{domain}" / "2.png", picture(2, 40, 50, domain))
    splits = load(tmp_path)
    assert splits["trainA"].image_shape == splits["trainB"].image_shape == (None, None, 3)
    assert numbers(splits["trainA"])[2] == (2, "A")


@pytest.mark.parametrize("skip", [False, True])
def test_files_that_cannot_be_read(tmp_path, skip, capsys):
    """Without the file, its partner goes too."""
    LAYOUTS["trainA"](tmp_path)
    (tmp_path / "trainB" / "1.bmp").write_bytes(b"BM no picture")
    if not skip:
        message = refusal(str(tmp_path), pairs.Recipe())
        assert "1 unreadable of 12 images" in message and "1.bmp" in message
        return
    splits = pairs.load_pairs(str(tmp_path), pairs.Recipe(), skip_unreadable=True)
    assert [number for number, _ in numbers(splits["trainA"])] == [0, 2, 3]
    assert [number for number, _ in numbers(splits["trainB"])] == [0, 2, 3]
    said = capsys.readouterr()
    assert "skipped" in said.out + said.err


@pytest.mark.parametrize("layout, lost", [("trainA", "testB"), ("train/A", "test/A"), ("A/train", "B/val")])
def test_test_images_of_one_domain_alone(layout, lost, tmp_path):
    LAYOUTS[layout](tmp_path)
    shutil.rmtree(tmp_path / lost)
    assert f"its test images have no folder {tmp_path / lost}; needed: " in refusal(str(tmp_path), pairs.Recipe())


@pytest.mark.parametrize("make, words", [
    (lambda root: None, "has no images"),
    (lambda root: (root / "file").write_text("x"), "has no images")])
def test_folders_without_pairs(tmp_path, make, words):
    make(tmp_path)
    assert words in refusal(str(tmp_path), pairs.Recipe())
    assert "does not exist; possible: a folder of pairs" in refusal(str(tmp_path / "no"), pairs.Recipe())


# Pairs that are made.

def photographs(root):
    for number in range(6):
        pixels = np.random.default_rng(number).integers(0, 256, [20, 30, 3], np.uint8)
        write(root / f"{number}.png", pixels)
    return root


@pytest.mark.parametrize("kind", pairs.MADE)
def test_inputs_are_made_from_photographs(tmp_path, kind):
    root = photographs(tmp_path)
    splits = load(root, input_from=kind)
    images = {name: [example["image"] for example in split.records.map(split.decode).as_numpy_iterator()]
              for name, split in splits.items()}
    for name, found in images.items():
        assert len(found) == (5 if name.startswith("train") else 1) == splits[name].num_examples
        assert splits[name].image_shape == (20, 30, 3) and splits[name].class_names is None
    for number in range(5):
        original = np.asarray(Image.open(root / f"{number}.png"))
        np.testing.assert_array_equal(images["trainB"][number], original)
        made = images["trainA"][number]
        assert made.dtype == np.uint8 and made.shape == original.shape
        assert (made[..., 0] == made[..., 1]).all() and (made[..., 1] == made[..., 2]).all()
        if kind == "grey":
            assert np.abs(made[..., 0] - original @ [0.299, 0.587, 0.114]).max() < 1.01


def test_edges_are_dark_lines_on_white(tmp_path):
    pixels = np.full([32, 32, 3], 40, np.uint8)
    pixels[8:24, 8:24] = 220
    lines = pairs.edges(tf.constant(pixels)).numpy()[..., 0]
    assert (lines[:5] > 250).all() and (lines[14:18, 14:18] > 250).all()
    assert lines[8:24, 6:10].min(axis=1).max() < 100, "the left edge is a line"


def test_a_set_with_test_images_and_labels(digits_like):
    splits = pairs.load_pairs(str(digits_like), pairs.Recipe("grey"))
    assert {name: split.num_examples for name, split in splits.items()} == {
        "trainA": 4, "trainB": 4, "testA": 2, "testB": 2}
    assert all(set(split.records.map(split.decode).element_spec) == {"image"} for split in splits.values())


@pytest.fixture
def digits_like(tmp_path):
    for split, num in (("train", 2), ("test", 1)):
        for name in ("cat", "dog"):
            for number in range(num):
                write(tmp_path / split / name / f"{number}.png", picture(number))
    return tmp_path


def test_grey_photographs_are_coloured_too(tmp_path):
    for number in range(3):
        Image.fromarray(np.full([8, 8], 10 * number, np.uint8)).save(tmp_path / f"{number}.png")
    splits = load(tmp_path, input_from="grey")
    for split in splits.values():
        assert next(split.records.map(split.decode).as_numpy_iterator())["image"].shape == (8, 8, 3)


# Names.

def test_built_in_pairs(tmp_path):
    splits = pairs.load_pairs("synthetic_facades/32", pairs.Recipe(), str(tmp_path))
    from tf2gan.data.synthetic import render_facade, render_labels

    for kind in ("train", "test"):
        for domain, render in (("A", render_labels), ("B", render_facade)):
            split = splits[f"{kind}{domain}"]
            for number, record in enumerate(split.records.take(3)):
                np.testing.assert_array_equal(split.decode(record)["image"], render(kind, number, 32))


@pytest.mark.parametrize("dataset, recipe, words", [
    ("synthetic_apple2orange", {}, "which of its images are pairs is not known; possible: --pair-features"),
    ("mnist", {}, "--input-from grey or edges"),
    ("mnist", {"features": "image"}, "--pair-features image: needed: two names, INPUT,TARGET"),
    ("mnist", {"features": "image,mask"}, "has no \"mask\"; it has"),
    ("mnist", {"features": "image,label"}, "\"label\" is"),
    ("./here", {"features": "a,b"}, "is for tensorflow-datasets names"),
    ("mnist", {"features": "a,b", "input_from": "grey"}, "give only one of --input-from and --pair-features")])
def test_names_that_are_no_pairs(dataset, recipe, words):
    message = refusal(dataset, pairs.Recipe(**recipe))
    assert words in message and "\n" not in message


# Images in memory.

def in_memory(num=10):
    return tuple(np.stack([picture(number, domain=domain) for number in range(num)]) for domain in "AB")


@pytest.mark.parametrize("form", ["arrays", "dataset", "dataset of dicts", "lists"])
def test_pairs_in_memory(form):
    a, b = in_memory()
    data = {"arrays": (a, b), "lists": (list(a), list(b)), "dataset": tf.data.Dataset.from_tensor_slices((a, b)),
            "dataset of dicts": tf.data.Dataset.from_tensor_slices({"input": a, "target": b})}[form]
    splits = pairs.load_pairs(memory.keep(data, "paired"), pairs.Recipe())
    assert numbers(splits["trainA"]) == [(number, "A") for number in range(9)]
    assert numbers(splits["trainB"]) == [(number, "B") for number in range(9)]
    assert numbers(splits["testA"]) == [(9, "A")] and splits["testA"].names == splits["testB"].names != ()


@pytest.mark.parametrize("data, words", [
    ((in_memory()[0], in_memory(9)[1]), "images; needed: pairs"),
    (([picture(0)] * 3, [picture(0), picture(0, 20, 31), picture(0)]), "1 pairs are of two sizes, the numbers 1"),
    (in_memory()[0], "needed: (images of A, images of B)")])
def test_what_is_no_pairs_in_memory(data, words):
    with pytest.raises(UserError) as caught:
        memory.keep(data, "paired")
    assert words in str(caught.value)


# Batches.

def test_pairs_are_cropped_and_flipped_alike(tmp_path):
    """The blue of a pixel tells its place: it is the same in both images of a pair, and not in all pairs."""
    LAYOUTS["trainA"](tmp_path)
    splits, config = load(tmp_path), Config(image_size="64", batch_size=2, seed=3)
    seen, flips = [], set()
    for batch in pipeline.paired_batches(splits, config).take(20):
        x, y = (np.rint((batch[name].numpy() + 1) * 127.5) for name in "xy")
        np.testing.assert_array_equal(x[..., 2], y[..., 2])
        np.testing.assert_array_equal(x[..., 0], y[..., 0])
        assert (x[..., 1] == 0).all() and (y[..., 1] == 200).all()
        seen += [int(round(value / 10)) for value in x[:, 0, 0, 0]]
        flips |= {bool(image[10, 0, 2] > image[10, -1, 2]) for image in x}
    assert flips == {True, False}
    assert sorted(seen[:4]) == [0, 1, 2, 3] and sorted(seen[4:8]) == [0, 1, 2, 3], "each epoch has each pair once"


def test_batches_go_on_where_they_ended(tmp_path):
    LAYOUTS["trainA"](tmp_path)
    splits, config = load(tmp_path), Config(image_size="64", batch_size=2)
    straight = list(pipeline.batches(splits, config).take(6))
    for position, batch in enumerate(pipeline.batches(splits, config, start=6).take(3)):
        for name in "xy":
            np.testing.assert_array_equal(batch[name], straight[3 + position][name])
    halves = [list(pipeline.batches(splits, config, share=(which, 2)).take(3)) for which in range(2)]
    for position in range(3):
        for name in "xy":
            parts = np.concatenate([half[position][name] for half in halves])
            np.testing.assert_array_equal(parts, straight[position][name])
