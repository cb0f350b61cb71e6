"""Which files of a folder count, which can be read, and what is said about the others."""
import os

import numpy as np
import pytest
import tensorflow as tf

from tf2gan.core import images
from tf2gan.core.errors import UserError
from tf2gan.data import folders


def write(path, value=100):
    images.write_image(path, np.full([4, 5, 3], value, np.uint8))
    return path


@pytest.fixture
def unpaired(tmp_path):
    """A folder with three images in each of the four sub folders."""
    root = tmp_path / "horse2zebra"
    for split in folders.UNPAIRED_SPLITS:
        for index in range(3):
            write(root / split / f"{index}.png", 10 * index)
    return root


def refusal(function, *args, **kwargs):
    """The message of the UserError, which has to be one line."""
    with pytest.raises(UserError) as caught:
        function(*args, **kwargs)
    assert "\n" not in str(caught.value)
    return str(caught.value)


# find_images

def test_images_are_found_at_every_depth_in_the_order_of_their_parts(tmp_path):
    names = ["a/b/z.png", "a b/with space.png", "B.PNG", "a/x.jpg", "a.png", "a/b.webp", "Ä.png", "a-/1.bmp", "猫.gif"]
    for name in reversed(names):
        write(tmp_path / name)
    found = [path.relative_to(tmp_path).as_posix() for path in folders.find_images(tmp_path)]
    # By code point and part by part: "a" < "a b" < "a-" < "a.png", whatever the separator's own place may be.
    assert found == ["B.PNG", "a/b/z.png", "a/b.webp", "a/x.jpg", "a b/with space.png", "a-/1.bmp", "a.png", "Ä.png",
                     "猫.gif"]
    assert folders.find_images(str(tmp_path)) == folders.find_images(tmp_path)


def test_hidden_and_other_files_are_left_out(tmp_path):
    write(tmp_path / "x.png")
    write(tmp_path / ".x.png")
    write(tmp_path / ".hidden" / "x.png")
    for name in ("notes.txt", "png", "x.png.txt", "weights.h5"):
        (tmp_path / name).touch()
    write(tmp_path / "folder.png" / "inside.png")
    assert folders.find_images(tmp_path) == [tmp_path / "folder.png" / "inside.png", tmp_path / "x.png"]


def test_a_hidden_folder_above_does_not_matter(tmp_path):
    write(tmp_path / ".cache" / "data" / "x.png")
    assert folders.find_images(tmp_path / ".cache" / "data") == [tmp_path / ".cache" / "data" / "x.png"]


def test_links_are_followed_without_loops(tmp_path):
    target = write(tmp_path / "elsewhere" / "target.png", 42)
    root = tmp_path / "root"
    write(root / "sub" / "x.png")
    (root / "file.png").symlink_to(target)
    for name in ("up", "up again"):  # two loops: without a memory, the walk would take 2 to the 40 steps
        (root / "sub" / name).symlink_to(root, target_is_directory=True)
    (root / "other").symlink_to(target.parent, target_is_directory=True)
    (root / "other again").symlink_to(target.parent, target_is_directory=True)
    (root / "nowhere.png").symlink_to(tmp_path / "gone.png")
    found = [path.relative_to(root).as_posix() for path in folders.find_images(root)]
    assert found == ["file.png", "nowhere.png", "other/target.png", "sub/x.png"]
    assert (images.read_image(root / "file.png") == 42).all()
    (tmp_path / "link").symlink_to(root, target_is_directory=True)
    assert len(folders.find_images(tmp_path / "link")) == 4


def test_a_folder_that_cannot_be_listed_is_not_an_empty_one(tmp_path):
    assert "cannot list" in refusal(folders.find_images, tmp_path / "none")


# unpaired_splits

def test_unpaired_splits(unpaired):
    splits = folders.unpaired_splits(unpaired)
    assert list(splits) == ["trainA", "trainB", "testA", "testB"]
    assert splits["testA"] == [unpaired / "testA" / f"{index}.png" for index in range(3)]
    assert folders.unpaired_splits(str(unpaired)) == splits


def test_not_a_folder(tmp_path):
    assert "none does not exist" in refusal(folders.unpaired_splits, tmp_path / "none")
    message = refusal(folders.unpaired_splits, write(tmp_path / "x.png"))
    assert "x.png is not a folder" in message and "trainA, trainB, testA, testB" in message


def test_missing_sub_folders(unpaired):
    (unpaired / "testB").rename(unpaired / "validation")
    (unpaired / ".hidden").mkdir()
    message = refusal(folders.unpaired_splits, unpaired)
    assert "horse2zebra lacks the sub folders testB; needed: trainA, trainB, testA, testB; " in message
    assert "there: testA, trainA, trainB, validation; move a few images from trainB to testB" in message
    (unpaired / "testA").rename(unpaired / "x")
    message = refusal(folders.unpaired_splits, unpaired)
    assert "lacks the sub folders testA, testB;" in message and "move a few images from trainA to testA" in message


def test_an_empty_folder_says_that_nothing_is_there(tmp_path):
    message = refusal(folders.unpaired_splits, tmp_path)
    assert "lacks the sub folders trainA, trainB, testA, testB;" in message and "there: none;" in message


@pytest.mark.parametrize("name", ["TrainA", "train_A", "train-a", "train A", "train/A", "TRAIN/a"])
def test_a_name_that_is_nearly_right_gets_a_hint(unpaired, name):
    (unpaired / "trainA").rename(unpaired / "moved")
    (unpaired / name).parent.mkdir(exist_ok=True)
    (unpaired / "moved").rename(unpaired / name)
    if (unpaired / "trainA").is_dir():
        pytest.skip("this file system ignores case")
    assert "lacks the sub folders trainA; " in refusal(folders.unpaired_splits, unpaired)
    assert refusal(folders.unpaired_splits, unpaired).endswith(f"; rename {name} to trainA")


def test_one_folder_too_high(unpaired):
    assert refusal(folders.unpaired_splits, unpaired.parent).endswith(f"there: horse2zebra; did you mean {unpaired}?")


def test_a_long_list_of_folders_is_cut(tmp_path):
    for index in range(30):
        (tmp_path / f"class{index:02}").mkdir()
    message = refusal(folders.unpaired_splits, tmp_path)
    assert "class19, ...; " in message and "class20" not in message


def test_a_sub_folder_without_images(unpaired):
    for path in (unpaired / "trainB").iterdir():
        path.unlink()
        path.with_suffix(".txt").write_text("no image")
    message = refusal(folders.unpaired_splits, unpaired)
    assert f"{unpaired / 'trainB'} has no images; what counts:" in message and message.endswith("; there: 3 .txt")


# image_splits

def place(root, *names):
    """Writes an image under each name; returns `root`."""
    for name in names:
        write(root / name)
    return root


def relative(root, found):
    """What image_splits returned, with paths as text below `root`."""
    paths, class_names, labels = found
    return ({name: [path.relative_to(root).as_posix() for path in split] for name, split in paths.items()}, class_names,
            {path.relative_to(root).as_posix(): label for path, label in labels.items()})


def test_a_flat_folder_is_train_without_classes(tmp_path):
    place(tmp_path, "b.png", "a.jpg")
    (tmp_path / "notes").mkdir()
    assert relative(tmp_path, folders.image_splits(tmp_path, ("train",))) == ({"train": ["a.jpg", "b.png"]}, None, {})


def test_sub_folders_are_classes_in_natural_order(tmp_path):
    place(tmp_path, "dog/x.png", "dog10/x.png", "dog2/x.png", "10/x.png", "9/deep/er/y.png", "9/x.png", "Cat/x.png")
    (tmp_path / "empty").mkdir()
    paths, class_names, labels = relative(tmp_path, folders.image_splits(os.fspath(tmp_path), ("train",)))
    assert class_names == ("9", "10", "Cat", "dog", "dog2", "dog10")
    assert paths == {"train": ["10/x.png", "9/deep/er/y.png", "9/x.png", "Cat/x.png", "dog/x.png", "dog10/x.png",
                               "dog2/x.png"]}
    assert labels == dict(zip(paths["train"], [1, 0, 0, 2, 3, 5, 4]))


def test_a_single_sub_folder_is_a_single_class(tmp_path):
    place(tmp_path, "faces/x.png", "faces/deep/y.png")
    assert folders.image_splits(tmp_path, ("train",))[1:] == (
        ("faces",), {tmp_path / "faces/deep/y.png": 0, tmp_path / "faces/x.png": 0})


def test_train_and_test_share_the_labels_of_train(tmp_path):
    place(tmp_path, "train/a/1.png", "train/b/1.png", "train/c/1.png", "test/c/1.png", "test/b/1.png")
    paths, class_names, labels = relative(tmp_path, folders.image_splits(tmp_path, ("train", "test")))
    assert paths == {"train": ["train/a/1.png", "train/b/1.png", "train/c/1.png"],
                     "test": ["test/b/1.png", "test/c/1.png"]}
    assert class_names == ("a", "b", "c")
    assert labels == {"train/a/1.png": 0, "train/b/1.png": 1, "train/c/1.png": 2, "test/b/1.png": 1, "test/c/1.png": 2}
    only_test = relative(tmp_path, folders.image_splits(tmp_path, ("test",)))
    assert only_test == ({"test": paths["test"]}, class_names, {"test/b/1.png": 1, "test/c/1.png": 2})


def test_flat_train_and_test(tmp_path):
    place(tmp_path, "train/1.png", "test/1.png", "test/2.png")
    paths, class_names, labels = folders.image_splits(tmp_path, ("train", "test"))
    assert (len(paths["train"]), len(paths["test"]), class_names, labels) == (1, 2, None, {})


def test_what_is_not_asked_for_is_not_needed(tmp_path):
    place(tmp_path, "train/a/1.png", "validation/1.png")
    assert list(folders.image_splits(tmp_path, ("train",))[0]) == ["train"]
    place(tmp_path, "test/x/1.png")  # a class that train has not; a hindrance only to who asks for test
    assert folders.image_splits(tmp_path, ("train",))[1] == ("a",)


ONE, BOTH = ("train",), ("train", "test")


@pytest.mark.parametrize("names, splits, words", [
    ([], ONE, "ROOT has no images; what counts: .png"),
    (["notes.txt"], BOTH, "ROOT has no images; what counts: .png"),
    (["train/notes.txt"], ONE, "ROOT/train has no images; what counts: .png"),
    (["train/a/1.png", "test/notes.txt"], BOTH, "ROOT/test has no images;"),
    (["a/1.png", "b/1.png", "x.png", "y.png"], ONE, "ROOT has 2 images, x.png, beside sub folders with images: a, b;"),
    (["train/a/1.png", "train/x.png"], ONE, "ROOT/train has 1 images, x.png, beside sub folders with images: a;"),
    (["train/a/1.png"], BOTH, "ROOT lacks the sub folders test; needed: train, test; there: train; move a few test"),
    (["train/a/1.png", "Test/a/1.png"], BOTH, "lacks the sub folders test; there: Test, train; rename Test to test"),
    (["test/a/1.png"], BOTH, "ROOT lacks the sub folders train; there: test"),
    (["test/a/1.png", "val/a/1.png"], ONE, "ROOT lacks the sub folders train; there: test, val"),
    (["Training/1.png", "Testing/1.png"], ONE, "lacks the sub folders train; rename Training to train"),
    (["Train_Set/1.png", "test_set/1.png"], BOTH, "lacks train, test; rename Train_Set to train; rename test_set to"),
    (["a/1.png", "b/1.png"], BOTH, "ROOT lacks the sub folders train, test; there: a, b; what is there train alone"),
    (["1.png"], BOTH, "ROOT lacks the sub folders train, test; there: none; what is there would be train alone"),
    (["train/a/1.png", "test/b/1.png", "test/a/1.png"], BOTH, "ROOT/test has the classes b and ROOT/train classes a;"),
    (["train/a/1.png", "test/1.png"], BOTH, "ROOT/test has no classes and ROOT/train has the classes a; needed"),
    (["train/1.png", "test/a/1.png"], BOTH, "ROOT/test has the classes a and ROOT/train has no classes; needed"),
    (["trainA/1.png", "trainB/1.png", "testA/1.png"], ONE, "ROOT two kinds there: testA, trainA, ROOT/trainA?"),
    (["inner/train/a/1.png", "inner/test/a/1.png"], ONE, "one folder too high; inner; did you mean ROOT/inner?"),
    (["inner/train/a/1.png", "inner/test/a/1.png"], BOTH, "one folder too high; inner; did you mean ROOT/inner?"),
    (["inner/trainA/1.png", "inner/trainB/1.png"], ONE, "one folder too high; inner; did you mean ROOT/inner?"),
    (["inner/a/1.png", "inner/b/1.png"], ONE, "one folder too high; inner; did you mean ROOT/inner?"),
    (["bus/1.png", "train/1.png", "tram/1.png"], ONE, "train may be a split or a class beside bus, tram; ROOT/train"),
])
def test_what_cannot_be_a_data_set_of_one_kind(tmp_path, names, splits, words):
    root = tmp_path / "data"
    root.mkdir()
    for name in names:
        write(root / name) if name.endswith(".png") else (root / name).parent.mkdir(exist_ok=True)
    message = refusal(folders.image_splits, root, splits)
    assert all(word.replace("ROOT", str(root)) in message for word in words.split()), message


def test_no_folder_for_image_splits(tmp_path):
    assert "none does not exist; possible: a folder of images," in refusal(
        folders.image_splits, tmp_path / "none", ONE)
    assert "x.png is not a folder; " in refusal(folders.image_splits, write(tmp_path / "x.png"), ONE)


@pytest.mark.parametrize("names", [["train/a/1.png"], ["train/1.png", "test/1.png"], ["1.png"]])
def test_a_set_of_one_kind_is_not_an_unpaired_one(tmp_path, names):
    message = refusal(folders.unpaired_splits, place(tmp_path, *names))
    assert "laid out for models that make images of one kind" in message and "trainA, trainB, testA, testB" in message


# inspect, check

def spoil(unpaired):
    """Two bad files in trainA and one in testB, with the paths in the order of the splits."""
    bad = [unpaired / "trainA" / "0.png", unpaired / "trainA" / "2.png", unpaired / "testB" / "1.png"]
    bad[0].write_bytes(b"")
    bad[1].write_text("no picture")
    bad[2].write_bytes(bad[2].read_bytes()[:-30])
    return bad


def test_inspect_tells_shape_and_greyness_or_what_is_wrong_in_order(tmp_path):
    paths = [tmp_path / f"{index}.png" for index in range(6)]
    grey = np.arange(20, dtype=np.uint8).reshape([4, 5, 1])
    images.write_image(paths[0], grey)
    images.write_image(paths[1], np.repeat(grey, 3, axis=-1))
    for channel, path in enumerate(paths[2:5]):  # one channel of one pixel off by one
        coloured = np.repeat(grey, 3, axis=-1)
        coloured[3, 4, channel] += 1
        images.write_image(path, coloured)
    paths[5].write_bytes(b"")
    calls = []
    expected = [((4, 5, 1), None)] * 2 + [((4, 5, 3), None)] * 3 + [(None, "the file is empty")]
    assert folders.inspect(paths, progress=lambda: calls.append(1)) == expected and len(calls) == 6
    assert folders.inspect(reversed(paths)) == expected[::-1]


def test_an_error_in_progress_ends_the_work(unpaired):
    def interrupt():
        raise KeyboardInterrupt
    with pytest.raises(KeyboardInterrupt):
        folders.inspect(sorted((unpaired / "trainA").iterdir()), interrupt)


def test_check_of_good_images_changes_nothing(unpaired):
    splits = folders.unpaired_splits(unpaired)
    calls = []
    readable, skipped, shapes, _ = folders.check(splits, progress=lambda: calls.append(1))
    assert (readable, skipped, len(calls)) == (splits, [], 12)
    assert shapes == {name: (4, 5, 1) for name in splits}


def test_check_gives_the_shape_that_all_images_of_a_split_have(tmp_path):
    def shape_of(*shapes):
        paths = [tmp_path / f"{index}.png" for index in range(len(shapes))]
        for path, (height, width, channels) in zip(paths, shapes):
            images.write_image(path, np.broadcast_to(np.uint8([1, 2, 3][:channels]), [height, width, channels]))
        return folders.check({"train": paths})[2]["train"]

    assert shape_of((4, 5, 1), (4, 5, 1)) == (4, 5, 1)
    assert shape_of((4, 5, 1), (4, 5, 3), (4, 5, 1)) == (4, 5, 3)
    assert shape_of((4, 5, 1), (5, 4, 1)) == (None, None, 1)
    assert shape_of((4, 5, 3), (4, 6, 3)) == (None, None, 3)


def test_an_unreadable_image_has_no_say_in_the_shape(unpaired):
    spoil(unpaired)
    images.write_image(unpaired / "trainB" / "0.png", np.full([4, 6, 3], 7, np.uint8))
    shapes = folders.check(folders.unpaired_splits(unpaired), skip_unreadable=True)[2]
    assert shapes["trainA"] == (4, 5, 1) and shapes["trainB"] == (None, None, 1)


def test_check_names_every_unreadable_file(unpaired):
    bad = spoil(unpaired)
    with pytest.raises(UserError) as caught:
        folders.check(folders.unpaired_splits(unpaired))
    summary, *names = str(caught.value).split("\n")
    assert summary == (f"3 unreadable of 12 images, first: {bad[0]}: the file is empty; "
                       "--skip-unreadable goes on without them")
    assert len(names) == 3 and all(name.startswith(f"  {path}: ") for name, path in zip(names, bad))


def test_check_skips_when_told_to(unpaired):
    bad = spoil(unpaired)
    splits = folders.unpaired_splits(unpaired)
    readable, skipped, *_ = folders.check(splits, skip_unreadable=True)
    assert list(readable) == list(splits)
    assert readable["trainA"] == [unpaired / "trainA" / "1.png"] and readable["trainB"] == splits["trainB"]
    assert [path for path, _ in skipped] == bad and skipped[0][1] == "the file is empty"
    assert len(splits["trainA"]) == 3  # the argument is left as it was


def test_check_refuses_a_split_with_nothing_left(unpaired):
    for path in (unpaired / "testA").iterdir():
        path.write_bytes(b"")
    message = refusal(folders.check, folders.unpaired_splits(unpaired), skip_unreadable=True)
    assert message == "testA has no images left: none of its 3 can be read"


# decode

def test_decode_in_a_tf_data_pipeline(tmp_path):
    paths = [write(tmp_path / name, value) for name, value in (("a b.png", 3), ("Ü猫.PNG", 250))]
    images.write_image(tmp_path / "grey.png", np.full([7, 2, 1], 9, np.uint8))
    paths.append(tmp_path / "grey.png")
    dataset = tf.data.Dataset.from_tensor_slices([os.fspath(path) for path in paths]).map(folders.decode)
    assert dataset.element_spec == tf.TensorSpec([None, None, 3], tf.uint8)
    decoded = list(dataset.as_numpy_iterator())
    assert [image.shape for image in decoded] == [(4, 5, 3), (4, 5, 3), (7, 2, 3)]
    assert [np.unique(image).tolist() for image in decoded] == [[3], [250], [9]]


def test_the_position_of_an_iterator_over_decode_can_be_saved(tmp_path):
    paths = [os.fspath(write(tmp_path / f"{value}.png", value)) for value in range(4)]
    iterator = iter(tf.data.Dataset.from_tensor_slices(paths).map(folders.decode))
    next(iterator)
    saved = tf.train.Checkpoint(iterator=iterator).write(os.fspath(tmp_path / "checkpoint"))
    rest = [int(next(iterator)[0, 0, 0]) for _ in range(3)]
    tf.train.Checkpoint(iterator=iterator).read(saved)
    assert [int(next(iterator)[0, 0, 0]) for _ in range(3)] == rest == [1, 2, 3]


def test_decode_tells_why_it_fails(tmp_path):
    (tmp_path / "bad.png").write_bytes(b"")
    with pytest.raises(tf.errors.OpError, match="bad.png: the file is empty"):
        list(tf.data.Dataset.from_tensors(os.fspath(tmp_path / "bad.png")).map(folders.decode))
