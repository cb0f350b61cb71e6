"""Shards: tar and TFRecord files of encoded images are read where they lie, shuffled as a whole, and remembered."""
import io
import tarfile

import numpy as np
import pytest
import tensorflow as tf
import tool

from tf2gan.core import images
from tf2gan.core.errors import UserError
from tf2gan.data import folders, load, pairs, pipeline, shards


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("TF2GAN_CACHE_DIR", str(tmp_path / "cache"))


def picture(i, size=(9, 12), grey=False):
    image = np.random.default_rng(i).integers(0, 256, [*size, 1 if grey else 3], np.uint8)
    return image.repeat(3, axis=2) if grey else image


def write_tar(path, rows, labels=None, more=()):
    """A tar of PNGs of `picture(row)`, with KEY.cls beside them; `more`: pairs of a name and bytes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    entries = []
    for i, row in enumerate(rows):
        pixels = row if isinstance(row, np.ndarray) else picture(row)
        entries.append((f"some/key{i:03}.png", images.encode_image(pixels, ".png")))
        if labels is not None and labels[i] is not None:
            entries.append((f"some/key{i:03}.cls", str(labels[i]).encode()))
    with tarfile.open(path, "w") as archive:
        for name, data in [*entries, *more]:
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return path


def write_records(path, rows, labels=None, image="image/encoded", label="image/class/label"):
    path.parent.mkdir(parents=True, exist_ok=True)
    with tf.io.TFRecordWriter(str(path)) as writer:
        for i, row in enumerate(rows):
            feature = {image: tf.train.Feature(bytes_list=tf.train.BytesList(
                value=[images.encode_image(picture(row), ".png")])),
                "format": tf.train.Feature(bytes_list=tf.train.BytesList(value=[b"png"]))}
            if labels is not None:
                value = labels[i]
                feature[label] = tf.train.Feature(**(
                    {"int64_list": tf.train.Int64List(value=[value])} if isinstance(value, int)
                    else {"bytes_list": tf.train.BytesList(value=[value.encode()])}))
            writer.write(tf.train.Example(features=tf.train.Features(feature=feature)).SerializeToString())
    return path


def decoded(split):
    return [{name: value.numpy() for name, value in split.decode(record).items()} for record in split.records]


@pytest.mark.parametrize("write, suffix", [(write_tar, "tar"), (write_records, "tfrecord")])
def test_images_and_labels_come_back(tmp_path, write, suffix):
    write(tmp_path / "set" / f"part-2.{suffix}", [0, 1], [7, 10])
    write(tmp_path / "set" / f"part-10.{suffix}", [2], [7])
    split = load.load(str(tmp_path / "set"), ("train",))["train"]
    assert split.num_examples == 3 and split.image_shape == (9, 12, 3) and split.class_names == ("7", "10")
    found = decoded(split)
    assert [np.array_equal(example["image"], picture(i)) for i, example in enumerate(found)] == [True] * 3
    assert [int(example["label"]) for example in found] == [0, 1, 0]
    assert "3 images in 2 shards; 12x9; colour; 2 classes" == split.about


def test_names_of_shards_of_many_tools():
    for name in ("a.tar", "x.tgz", "data.tfrecord", "train.tfrecord-00000-of-00010", "b.TFRecords"):
        assert shards.kind(name), name
    assert not any(map(shards.kind, (".a.tar", "a.tart", "a.png", "notes.txt")))


def test_splits_by_folder_and_by_name(tmp_path):
    write_tar(tmp_path / "a" / "train" / "0.tar", [0]), write_tar(tmp_path / "a" / "test" / "0.tar", [1, 2])
    write_tar(tmp_path / "b" / "train-0.tar", [0]), write_tar(tmp_path / "b" / "test-0.tar", [1, 2])
    write_records(tmp_path / "c" / "train.tfrecord-00000-of-00001", [0])
    write_records(tmp_path / "c" / "test.tfrecord-00000-of-00001", [1, 2])
    for name in "abc":
        found = load.load(str(tmp_path / name), ("train",), optional=("test", "validation"))
        assert {split: each.num_examples for split, each in found.items()} == {"train": 1, "test": 2}
    write_tar(tmp_path / "d" / "trainings.tar", [0, 1, 2])
    assert load.load(str(tmp_path / "d"), ("train",), optional=("test",))["train"].num_examples == 3


def test_two_domains(tmp_path):
    for i, name in enumerate(folders.UNPAIRED_SPLITS):
        write_tar(tmp_path / name / "0.tar", [picture(i, grey=True)])
    found = load.load(str(tmp_path), folders.UNPAIRED_SPLITS)
    assert set(found) == set(folders.UNPAIRED_SPLITS) and found["trainA"].image_shape == (9, 12, 3)


def test_names_of_classes_from_a_file(tmp_path):
    write_tar(tmp_path / "0.tar", [0, 1], [2, 0])
    (tmp_path / shards.CLASSES).write_text("ape\nbee\n\ncat\n")
    split = load.load(str(tmp_path), ("train",))["train"]
    assert split.class_names == ("ape", "bee", "cat") and [int(each["label"]) for each in decoded(split)] == [2, 0]
    (tmp_path / shards.CLASSES).write_text("ape\nbee\n")
    assert "names 2 classes, and a shard has the label '2'" in tool.refusal(load.load, str(tmp_path), ("train",))


def test_test_labels_are_numbered_as_those_of_train(tmp_path):
    write_tar(tmp_path / "train-0.tar", [0, 1], ["b", "c"]), write_tar(tmp_path / "test-0.tar", [2], ["c"])
    found = load.load(str(tmp_path), ("train", "test"))
    assert found["test"].class_names == ("b", "c") and int(decoded(found["test"])[0]["label"]) == 1
    write_tar(tmp_path / "test-0.tar", [2], ["a"])
    assert "test has the label 'a'; needed: the classes of train" in tool.refusal(load.load, str(tmp_path),
                                                                                 ("train", "test"))


def test_a_shard_is_indexed_once(tmp_path, monkeypatch):
    path = write_tar(tmp_path / "set" / "0.tar", [0, 1], [3, 4])
    first = shards.index([path])
    monkeypatch.setattr(shards, "_of_tar", lambda path: pytest.fail("it was read again"))
    again = shards.index([path])
    assert np.array_equal(first.offsets, again.offsets) and again.labels.tolist() == ["3", "4"]
    monkeypatch.undo()
    monkeypatch.setenv("TF2GAN_CACHE_DIR", str(tmp_path / "cache"))
    write_tar(path, [0, 1, 2], [3, 4, 5])
    assert len(shards.index([path])) == 3, "a changed shard is read again"


def test_what_is_remembered_may_be_damaged(tmp_path):
    path = write_tar(tmp_path / "set" / "0.tar", [0, 1])
    shards.index([path])
    (kept,) = (tmp_path / "cache" / "shards").glob("*.npz")
    kept.write_bytes(kept.read_bytes()[:40])
    assert len(shards.index([path])) == 2


def test_order_is_that_of_the_same_images_in_one_shard(tmp_path):
    write_tar(tmp_path / "one" / "0.tar", range(20))
    for i in range(4):
        write_tar(tmp_path / "many" / f"{i}.tar", range(5 * i, 5 * i + 5))
    streams = [pipeline.stream(load.load(str(tmp_path / name), ("train",))["train"], 3).take(45)
               for name in ("one", "many")]
    for one, other in zip(*streams):
        assert np.array_equal(one["image"], other["image"])


def test_labels_of_some_are_refused(tmp_path):
    write_tar(tmp_path / "0.tar", [0, 1, 2], [1, None, 2])
    assert "1 of 3 images have no label" in tool.refusal(load.load, str(tmp_path), ("train",))
    write_tar(tmp_path / "0.tar", [0, 1, 2], [1, 1, 2]), write_tar(tmp_path / "1.tar", [0])
    assert "1 of 2 shards have no labels" in tool.refusal(load.load, str(tmp_path), ("train",))


@pytest.mark.parametrize("data, words", [
    (b"\x1f\x8b" + bytes(100), "is compressed, so that no image can be read without all before it; needed: gunzip"),
    (b"nothing of that kind" * 100, "cannot be read"), (b"", "cannot be read")])
def test_a_tar_that_is_none(tmp_path, data, words):
    (tmp_path / "a.tar").write_bytes(data)
    assert words in tool.refusal(load.load, str(tmp_path), ("train",))


def test_a_tar_without_images(tmp_path):
    write_tar(tmp_path / "a.tar", [], more=[("notes.txt", b"none")])
    assert "the shards of train have no images" in tool.refusal(load.load, str(tmp_path), ("train",))


def test_records_that_are_none(tmp_path):
    (tmp_path / "a.tfrecord").write_bytes(bytes(range(200)))
    assert "is no TFRecord file, is compressed, or ends too early, at byte 0" in tool.refusal(load.load, str(tmp_path),
                                                                                              ("train",))
    whole = write_records(tmp_path / "a.tfrecord", [0, 1]).read_bytes()
    (tmp_path / "a.tfrecord").write_bytes(whole[:-9])
    assert "ends too early" in tool.refusal(load.load, str(tmp_path), ("train",))
    with tf.io.TFRecordWriter(str(tmp_path / "a.tfrecord")) as writer:
        writer.write(tf.train.Example(features=tf.train.Features(feature={
            "x": tf.train.Feature(bytes_list=tf.train.BytesList(value=[b"no image"]))})).SerializeToString())
    assert "no feature of its first record is an encoded image; there: x" in tool.refusal(load.load, str(tmp_path),
                                                                                          ("train",))


def test_an_image_of_any_feature_name(tmp_path):
    write_records(tmp_path / "a.tfrecords", [4], ["bee"], image="picture", label="label")
    split = load.load(str(tmp_path), ("train",))["train"]
    assert np.array_equal(decoded(split)[0]["image"], picture(4)) and split.class_names == ("bee",)


def test_an_image_that_cannot_be_read(tmp_path, capsys):
    write_tar(tmp_path / "0.tar", [0, 1], more=[("bad.png", b"no picture"), ("last.png", images.encode_image(
        picture(5), ".png"))])
    message = tool.refusal(load.load, str(tmp_path), ("train",))
    assert "0.tar at byte " in message and "--skip-unreadable goes on" in message
    split = load.load(str(tmp_path), ("train",), skip_unreadable=True)["train"]
    found = decoded(split)
    assert len(found) == 4 and np.array_equal(found[2]["image"], found[3]["image"]), "the next one stands for it"
    assert "the next image stands for it" in capsys.readouterr().err


@pytest.mark.parametrize("place", ["a.png", "cat/a.png", "train/cat/a.png"])
def test_images_beside_an_archive_win(tmp_path, place):
    write_tar(tmp_path / "backup.tar", [0, 1])
    images.write_image(tmp_path / place, picture(3))
    assert load.load(str(tmp_path), ("train",))["train"].num_examples == 1


def test_what_shards_are_not_for(tmp_path):
    write_tar(tmp_path / "0.tar", [0, 1])
    assert "lacks" not in tool.refusal(load.load, str(tmp_path), ("test",))
    assert "needed: a sub folder test with shards, or shards named test-000.tar" in tool.refusal(
        load.load, str(tmp_path), ("test",))
    assert "no further images without labels" in tool.refusal(
        lambda: load.load(str(tmp_path), ("train",), unlabelled=("extra",)))
    assert "whose images are single ones; possible: --input-from" in tool.refusal(
        pairs.load_pairs, str(tmp_path), pairs.Recipe())


def test_an_image_of_another_size_among_those_that_were_not_looked_at(tmp_path, monkeypatch):
    monkeypatch.setattr(folders, "LOOKED_AT", 2)
    write_tar(tmp_path / "0.tar", [0, picture(1, size=(20, 12)), 2, 3])
    split = load.load(str(tmp_path), ("train",))["train"]
    assert split.image_shape == (9, 12, 3) and split.about.endswith("; 2 of them looked at")
    found = decoded(split)
    assert [example["image"].shape for example in found] == [(9, 12, 3)] * 4
    assert np.array_equal(found[3]["image"], picture(3))


def large_folder(tmp_path, monkeypatch, num=8):
    monkeypatch.setattr(folders, "MOST_CHECKED", 5)
    monkeypatch.setattr(folders, "LOOKED_AT", 4)
    for i in range(num):
        images.write_image(tmp_path / "set" / f"{i}.png", picture(i))
    return tmp_path / "set"


def test_a_large_folder_is_not_read_as_a_whole(tmp_path, monkeypatch):
    folder = large_folder(tmp_path, monkeypatch)
    opened, read_image = [], images.read_image
    monkeypatch.setattr(images, "read_image", lambda path: opened.append(path) or read_image(path))
    split = load.load(str(folder), ("train",))["train"]
    assert len(opened) == 4 and split.num_examples == 8 and split.about.endswith("; 4 of them looked at")
    assert [np.array_equal(example["image"], picture(i)) for i, example in enumerate(decoded(split))] == [True] * 8


def test_a_large_folder_has_the_order_of_a_small_one(tmp_path, monkeypatch):
    folder = large_folder(tmp_path, monkeypatch)
    large = load.load(str(folder), ("train",))["train"]
    monkeypatch.setattr(folders, "MOST_CHECKED", 100)
    small = load.load(str(folder), ("train",))["train"]
    assert large.fingerprint == small.fingerprint
    for one, other in zip(*(pipeline.stream(split, 5).take(20) for split in (large, small))):
        assert np.array_equal(one["image"], other["image"])


def test_a_file_of_a_large_folder_that_cannot_be_read(tmp_path, monkeypatch, capsys):
    folder = large_folder(tmp_path, monkeypatch)
    (folder / "1.png").write_bytes(b"no picture")  # 0, 2, 4, 6 are looked at
    split = load.load(str(folder), ("train",))["train"]
    with pytest.raises(tf.errors.OpError, match="1.png"):
        list(pipeline.stream(split, 0).take(8))
    split = load.load(str(folder), ("train",), skip_unreadable=True)["train"]
    found = decoded(split)
    assert np.array_equal(found[1]["image"], picture(2)) and len(found) == 8
    assert "1.png" in capsys.readouterr().err
    (folder / "2.png").write_bytes(b"no picture")
    with pytest.raises(UserError, match="1 unreadable of 4 images"):
        load.load(str(folder), ("train",))


def test_a_training_from_shards_is_resumed_bit_for_bit(tmp_path):
    for i in range(2):
        write_tar(tmp_path / "set" / f"train-{i}.tar", [picture(8 * i + j, size=(28, 28)) for j in range(8)],
                  [j % 2 for j in range(8)])
    args = ["--model", "cgan", *tool.small("cgan")[2:], "--dataset", tmp_path / "set", "--log-every", 1,
            "--checkpoint-every", 1, "--sample-every", 0, "--deterministic", "--steps", 4]
    done = tool.run_here(*args, "--run-dir", tmp_path / "straight")
    assert done.returncode == 0, done.stderr
    tool.run_here_until(2, *args, "--run-dir", tmp_path / "run")
    done = tool.run_here("--resume", tmp_path / "run")
    assert done.returncode == 0, done.stderr
    tool.assert_same_end(tmp_path / "run", tmp_path / "straight")
