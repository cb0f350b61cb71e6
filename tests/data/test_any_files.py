"""Folders as people have them: files of any suffix and kind, class names with numbers, strips."""
import collections
import io
import pathlib
import resource

import hypothesis
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import strategies
from PIL import Image

from tf2gan.core import images
from tf2gan.core.errors import UserError
from tf2gan.data import folders, load, pipeline
from tf2gan.data.split import NO_LABEL

# A suffix that each kind of file often has, and a format of Pillow that writes it.
KINDS = {".tga": "TGA", ".pnm": "PPM", ".j2k": "JPEG2000", ".apng": "PNG", ".ico": "ICO", ".pcx": "PCX", ".sgi": "SGI",
         ".dds": "DDS", ".im": "IM", ".xbm": "XBM", ".icns": "ICNS", ".jpg": "JPEG", ".PNG": "PNG", ".webp": "WEBP",
         ".mpo": "MPO", ".qoi": "QOI", ".blp": "BLP"}
PIXELS = np.full([16, 16, 3], (200, 100, 50), np.uint8)


def encoded(kind):
    buffer = io.BytesIO()
    picture = Image.fromarray(PIXELS)
    if kind in ("XBM", "BLP"):
        picture = picture.convert("1" if kind == "XBM" else "P")
    picture.save(buffer, kind)
    return buffer.getvalue()


WRITABLE = {suffix: kind for suffix, kind in KINDS.items() if kind in Image.SAVE and kind in Image.OPEN}


@pytest.mark.parametrize("suffix", WRITABLE)
def test_every_kind_that_pillow_opens_is_read(tmp_path, suffix):
    (tmp_path / f"x{suffix}").write_bytes(encoded(WRITABLE[suffix]))
    split = load.load(str(tmp_path), ["train"])["train"]
    assert split.num_examples == 1
    assert next(split.records.map(split.decode).as_numpy_iterator())["image"].shape == (16, 16, split.image_shape[2])


@pytest.mark.parametrize("name", ["x", "x.download", "x.jpg.part", "x.dat", "x.jpeg_large"])
def test_the_content_counts_and_not_the_suffix(tmp_path, name):
    (tmp_path / name).write_bytes(encoded("JPEG"))
    assert folders.find_images(tmp_path) == [tmp_path / name]


def test_what_is_left_out_is_told_by_kind_once(tmp_path, capsys):
    for name, content in (("a.jpg", encoded("JPEG")), ("b.heic", b"ftypheic"), ("c.HEIC", b"x"), ("d.txt", b"text"),
                          ("e", b""), (".hidden", b"x")):
        (tmp_path / name).write_bytes(content)
    assert load.load(str(tmp_path), ["train"])["train"].num_examples == 1
    load.load(str(tmp_path), ["train"])
    line, = capsys.readouterr().err.splitlines()
    assert line == f"left out in {tmp_path}: 2 .heic, 1 .txt, 1 no suffix (the package pillow-heif reads HEIC)"


def test_a_class_of_files_that_pillow_does_not_read_is_not_just_missing(tmp_path):
    for name in ("cat/1.jpg", "cat/2.jpg", "dog/1.HEIC", "dog/2.HEIC"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(encoded("JPEG") if name.endswith("jpg") else b"heic")
    with pytest.raises(UserError, match="dog has no images that Pillow reads, only 2 .heic .*would be missing"):
        load.load(str(tmp_path), ["train"])
    (tmp_path / "dog").rename(tmp_path / ".dog")
    assert load.load(str(tmp_path), ["train"])["train"].class_names == ("cat",)


def test_every_start_can_say_what_there_is(tmp_path):
    for index, (name, size) in enumerate((("cat/1", (20, 10)), ("cat/2", (30, 12)), ("dog/1", (8, 40)))):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        Image.new("RGB", size, (index, 50, 100)).save(tmp_path / f"{name}.png")
    assert load.load(str(tmp_path), ["train"])["train"].about == (
        "3 images; 8x10 to 30x40; colour; 2 classes: cat 2, dog 1")


NAMES = strategies.sampled_from(["a", "b", "C", "1", "2", "10"])
ENDS = {".jpg": "JPEG", ".png": "PNG", ".tga": "TGA", "": "PNG", ".bin": "BMP", ".txt": None, ".mp4": None, ".csv": None}


@hypothesis.settings(max_examples=25, deadline=None, derandomize=True)
@hypothesis.given(strategies.dictionaries(strategies.tuples(NAMES, NAMES, strategies.sampled_from(list(ENDS))),
                                          strategies.just(None), max_size=12))
def test_in_any_folder_each_file_is_found_or_counted(tmp_path_factory, content):
    root, expected, others = tmp_path_factory.mktemp("any"), set(), collections.Counter()
    for folder, name, end in content:
        path = root / folder / f"{name}x{end}"
        path.parent.mkdir(exist_ok=True)
        if ENDS[end] is None:
            path.write_bytes(b"no image at all")
            others[end] += 1
        else:
            path.write_bytes(encoded(ENDS[end]))
            expected.add(path)
    left_out = collections.Counter()
    assert set(folders.find_images(root, left_out)) == expected and left_out == others
    if expected:
        _, classes, labels = folders.image_splits(root, ["train"])
        numbers = [int(name) for name in classes if name.isdecimal()]
        assert numbers == sorted(numbers) and set(classes) == {path.parent.name for path in expected}
        assert all(classes[labels[path]] == path.parent.name for path in expected)


# Class names with numbers.

def test_numbers_sort_as_numbers():
    names = [str(number) for number in range(1, 13)]
    assert sorted(sorted(names), key=folders.natural) == names
    assert sorted(["b10", "b9", "a", "10", "9", "1.5"], key=folders.natural) == ["1.5", "9", "10", "a", "b9", "b10"]
    assert sorted(["²", "2", "١"], key=folders.natural)  # digits of other scripts are no reason to fail


def test_a_model_of_an_older_order_of_classes_keeps_it(tmp_path):
    for number in (1, 2, 10):
        (tmp_path / str(number)).mkdir()
        Image.new("L", (4, 4), number).save(tmp_path / str(number) / "x.png")
    split = load.load(str(tmp_path), ["train"])["train"]
    older = split.in_order_of(["1", "10", "2"])
    assert split.class_names == ("1", "2", "10") and older.class_names == ("1", "10", "2")
    for each in (split, older):
        found = list(each.records.map(each.decode).as_numpy_iterator())
        assert [each.class_names[example["label"]] for example in found] == [
            str(example["image"].max()) for example in found]
    assert split.in_order_of(["1", "2", "10"]) is split and split.in_order_of(["1", "2", "3"]) is split
    unlabelled = split.records.map(lambda record: older.decode({**record, "label": tf.constant(NO_LABEL, tf.int64)}))
    assert {example["label"] for example in unlabelled.as_numpy_iterator()} == {NO_LABEL}


# Strips.

@pytest.mark.parametrize("shape", [(1, 10000), (10000, 1), (3, 4000)])
def test_a_strip_takes_the_memory_of_what_is_seen_of_it(shape):
    image = np.random.default_rng(0).integers(0, 256, [*shape, 3], np.uint8)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for seed in (None, [1, 2], [3, 4]):
        made = pipeline.crop_and_mirror(image, seed, 128, 128, 1.1, True)
        assert made.shape == (128, 128, 3) and np.ptp(made.numpy()) > 0.1
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 300 * 1024  # KiB; the whole would take 2 GB


def test_all_of_a_strip_is_seen_in_time():
    ramp = np.broadcast_to(np.linspace(0, 255, 3000).astype(np.uint8)[None, :, None], [2, 3000, 3])
    means = [float(pipeline.crop_and_mirror(ramp, [seed, 0], 4, 4).numpy().mean()) for seed in range(60)]
    assert min(means) < -0.85 and max(means) > 0.85 and abs(np.mean(means)) < 0.35
    assert abs(float(pipeline.crop_and_mirror(ramp, None, 4, 4).numpy().mean())) < 0.02


def test_ordinary_images_are_cropped_as_ever():
    """The window is only for strips: whatever covers no more than 8 times the side is resized as a whole."""
    image = np.random.default_rng(0).integers(0, 256, [20, 150, 3], np.uint8)
    found = pipeline.crop_and_mirror(image, [5, 6], 16, 16).numpy()
    pipeline_longest, pipeline._LONGEST = pipeline._LONGEST, 1e9
    try:
        np.testing.assert_array_equal(found, pipeline.crop_and_mirror(image, [5, 6], 16, 16).numpy())
    finally:
        pipeline._LONGEST = pipeline_longest


def test_suffixes_that_count_without_a_look(tmp_path):
    assert {".jpg", ".png", ".tga", ".ico", ".pcx", ".sgi"} <= images.readable_suffixes()
    assert not {".pdf", ".mpg", ".h5", ".txt"} & images.readable_suffixes()
    assert not images.is_image(pathlib.Path(tmp_path, "missing"))
