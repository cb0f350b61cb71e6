"""Which files of a folder count, which can be read, and what is said about the others."""
import os

import numpy as np
import pytest
import tensorflow as tf

from tf2gan import images
from tf2gan.data import folders
from tf2gan.errors import UserError


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
        path.rename(path.with_suffix(".txt"))
    message = refusal(folders.unpaired_splits, unpaired)
    assert f"{unpaired / 'trainB'} has no images; what counts:" in message
    assert all(suffix in message for suffix in (".jpg", ".png", ".webp"))


# unreadable, check

def spoil(unpaired):
    """Two bad files in trainA and one in testB, with the paths in the order of the splits."""
    bad = [unpaired / "trainA" / "0.png", unpaired / "trainA" / "2.png", unpaired / "testB" / "1.png"]
    bad[0].write_bytes(b"")
    bad[1].write_text("no picture")
    bad[2].write_bytes(bad[2].read_bytes()[:-30])
    return bad


def test_unreadable_lists_all_in_order_and_counts_progress(unpaired):
    bad = spoil(unpaired)
    splits = folders.unpaired_splits(unpaired)
    paths = [path for split in splits.values() for path in split]
    calls = []
    failed = folders.unreadable(paths, progress=lambda: calls.append(1))
    assert [path for path, _ in failed] == bad and len(calls) == len(paths) == 12
    assert [reason for _, reason in failed][:2] == ["the file is empty", "not an image in a format that Pillow reads"]
    assert str(unpaired) not in failed[2][1]
    backwards = folders.unreadable(reversed(paths))
    assert backwards == failed[::-1]


def test_an_error_in_progress_ends_the_work(unpaired):
    def interrupt():
        raise KeyboardInterrupt
    with pytest.raises(KeyboardInterrupt):
        folders.unreadable(sorted((unpaired / "trainA").iterdir()), interrupt)


def test_check_of_good_images_changes_nothing(unpaired):
    splits = folders.unpaired_splits(unpaired)
    calls = []
    assert folders.check(splits, progress=lambda: calls.append(1)) == (splits, [])
    assert len(calls) == 12


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
    readable, skipped = folders.check(splits, skip_unreadable=True)
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
