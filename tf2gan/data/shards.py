"""Images in shards: tar files as WebDataset has them, or TFRecord files of tf.train.Example with encoded images.

Where each image lies in its shard is found once, and remembered; from then on an image is read as if it were a small
file of its own. So shards are shuffled as a whole, by the seed, and memory holds three numbers an image.
"""
import dataclasses
import functools
import io
import os
import pathlib
import struct
import tarfile
import zipfile
from typing import Optional, Tuple

import numpy as np
import tensorflow as tf

from tf2gan.core import cache_folder, files, images, progress, terminal
from tf2gan.core.errors import UserError, printable, reason
from tf2gan.data import folders, pipeline
from tf2gan.data.split import Split, digest, identity

# In the order in which they are looked for in the first record of TFRecord files; else the first that is an image.
IMAGE_FEATURES = ("image/encoded", "image", "image_raw", "jpg", "png")
LABEL_FEATURES = ("image/class/label", "label", "cls")
CLASSES = "classes.txt"  # beside the shards: names of the classes, a line each, which numbers count from 0
_FORMAT = 1  # of what is remembered; changes with what an index means
_SPLITS = ("train", "test", "validation", "extra", "trainA", "trainB", "testA", "testB")


@dataclasses.dataclass(frozen=True)
class Index:
    """Where the images of some shards lie: image i is `sizes[i]` bytes at `offsets[i]` of `paths[shards[i]]`.

    `labels`: what the shards say, str; None: nothing.
    """

    paths: Tuple[pathlib.Path, ...]
    shards: np.ndarray  # int32 [num]
    offsets: np.ndarray  # int64 [num]
    sizes: np.ndarray  # int64 [num]
    labels: Optional[np.ndarray]  # str [num]

    def __len__(self):
        return len(self.shards)

    def place(self, row) -> str:
        """Where an image is, for people."""
        return f"{printable(self.paths[self.shards[row]])} at byte {self.offsets[row]}"


def kind(path) -> Optional[str]:
    """"tar", "tfrecord" or None, by the name: a.tar, train.tfrecord, train.tfrecord-00000-of-00010, a.tfrecords."""
    name = os.path.basename(path).lower()
    if name.startswith("."):
        return None
    if name.endswith((".tar", ".tar.gz", ".tgz")):
        return "tar"
    return "tfrecord" if ".tfrecord" in name else None


def shards_of(folder) -> list:
    """The shards that lie in a folder itself, in the order of their names; [] where there are none."""
    try:
        names = sorted((entry.name for entry in os.scandir(folder) if kind(entry.name) and entry.is_file()),
                       key=folders.natural)
    except NotADirectoryError:
        return []
    except OSError as error:
        raise UserError(f"cannot list {printable(folder)}: {error.strerror}") from error
    return [pathlib.Path(folder, name) for name in names]


def found(folder) -> dict:
    """{split: its shards} of a folder; {} if it has none.

    A split is a sub folder with shards, or the shards whose names begin with its name, as in train-000.tar. Shards that
    begin with the name of no split are all "train".
    """
    inside = {name: shards_of(folder / name) for name in _SPLITS if (folder / name).is_dir()}
    if any(inside.values()):
        return {name: paths for name, paths in inside.items() if paths}
    here = shards_of(folder)
    of_split = {name: [path for path in here if _begins_with(path.name, name)] for name in _SPLITS}
    of_split = {name: paths for name, paths in of_split.items() if paths}
    return of_split or ({"train": here} if here else {})


def _begins_with(name, split):
    rest = name[len(split):]
    return name.startswith(split) and not rest[:1].isalpha()


def load(root, needed, optional=(), skip_unreadable=False) -> dict:
    """{split: Split} of a folder of shards: those of `needed`, and those of `optional` that are there.

    Raises UserError for splits that are missing, shards that cannot be read, images without a label among others that
    have one, and for images that cannot be read among those that are looked at.
    """
    there = found(root)
    names = _names(root)
    missing = [name for name in needed if name not in there]
    if missing:
        raise UserError(f"{root} has shards, but none of {', '.join(missing)}; there: {', '.join(there)}; needed: a "
                        f"sub folder {missing[0]} with shards, or shards named {missing[0]}-000.tar and so on")
    wanted = [*needed, *(name for name in optional if name in there)]
    indexes = {name: index(there[name]) for name in wanted}
    labels = _labels(root, indexes, names)
    looks = {name: _look(root, name, each, skip_unreadable) for name, each in indexes.items()}
    # As with folders: train says for all; networks between two kinds take colour only.
    (*_, channels), _ = looks.get("train", next(iter(looks.values())))
    channels = 3 if "trainA" in looks else channels
    return {name: _split(name, root, each, (*looks[name][0][:2], channels), looks[name][1], labels, names or labels,
                         skip_unreadable) for name, each in indexes.items()}


def _names(root):
    """What CLASSES says; None where there is none."""
    try:
        return tuple(filter(None, map(str.strip, (root / CLASSES).read_text("utf-8").splitlines())))
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{printable(root / CLASSES)} cannot be read: {reason(error)}") from error


def _labels(root, indexes, names):
    """What the labels of train say, in the order of their numbers; None if there are none. `names`: of CLASSES."""
    first = indexes.get("train", next(iter(indexes.values())))
    if first.labels is None:
        return None
    known = tuple(sorted(set(first.labels.tolist()), key=folders.natural))
    if names is not None:
        beyond = [label for label in known if not (label.isdecimal() and int(label) < len(names))]
        if beyond:
            raise UserError(f"{printable(root / CLASSES)} names {len(names)} classes, and a shard has the label "
                            f"{beyond[0]!r}; needed: numbers from 0 to {len(names) - 1}")
        known = tuple(map(str, range(len(names))))
    for name, other in indexes.items():
        strange = set(() if other.labels is None else other.labels.tolist()) - set(known)
        if strange or other.labels is None:
            raise UserError(f"{root}: {name} has {'the label ' + repr(min(strange)) if strange else 'no labels'}; "
                            "needed: the classes of train and no others")
    return known


def _split(name, root, found_index, image_shape, looked_at, labels, class_names, skip_unreadable):
    """The Split of an Index. `labels`: what each number stands for in it; `class_names`: what people read."""
    *shape, channels = image_shape
    records = {"row": np.arange(len(found_index), dtype=np.int64)}
    if labels is not None:
        numbers = {label: number for number, label in enumerate(labels)}
        records["label"] = np.array([numbers[label] for label in found_index.labels.tolist()], np.int64)

    def decode(record):
        image = folders.decode_row(functools.partial(read, found_index), record["row"], len(found_index),
                                   skip_unreadable)
        image = pipeline.of_shape(image, shape)
        image = tf.image.rgb_to_grayscale(image) if channels == 1 else image
        return {"image": image} if labels is None else {"image": image, "label": record["label"]}

    size = f"{shape[1]}x{shape[0]}" if shape[0] else "of several sizes"
    told = [f"{len(found_index)} images in {len(found_index.paths)} shards", size,
            "grey" if channels == 1 else "colour",
            *([f"{len(labels)} classes"] if labels else []),
            *([f"{looked_at} of them looked at"] if looked_at < len(found_index) else [])]
    return Split(name, len(found_index), tf.data.Dataset.from_tensor_slices(records), decode, 16,
                 image_shape=image_shape, class_names=None if labels is None else class_names,
                 summary="; ".join(told), slow_to_decode=True, **identity(found_index.paths, root))


def read(found_index, row):
    """uint8 [height, width, 3] of an image. Raises UnreadableImage."""
    path, offset = found_index.paths[found_index.shards[row]], int(found_index.offsets[row])
    with open(path, "rb") as file:
        file.seek(offset)
        return images.read_bytes(file.read(int(found_index.sizes[row])), found_index.place(row))


def _look(root, name, found_index, skip_unreadable):
    """(the `folders.common_shape` of the images that are looked at, how many these are)."""
    if not len(found_index):
        raise UserError(f"{root}: the shards of {name} have no images")
    rows, shapes = folders.spread(len(found_index), folders.LOOKED_AT), []
    with progress.Counter("looking at images in shards", len(rows)) as counter:
        for row, (shape, why) in zip(rows, folders.in_threads(
                functools.partial(folders.inspect_one, functools.partial(read, found_index)), rows)):
            counter()
            if shape is not None:
                shapes.append(shape)
            elif not skip_unreadable:
                raise UserError(f"{found_index.place(row)}: {why}; --skip-unreadable goes on without what cannot be "
                                "read")
    if not shapes:
        raise UserError(f"{printable(found_index.paths[0])}: none of {len(rows)} images can be read")
    return folders.common_shape(shapes), len(rows)


# Where the images lie.

def index(paths) -> Index:
    """The Index of shards, each remembered by its path, size and time of change. Raises UserError."""
    parts = []
    with progress.Counter("indexing shards", len(paths)) as counter:
        for path in paths:
            parts.append(_recalled(path) or _remembered(path, *_entries(path)))
            counter()
    labelled = [labels is not None for offsets, _, labels in parts if len(offsets)]
    if any(labelled) and not all(labelled):
        raise UserError(f"{printable(paths[0].parent)}: {labelled.count(False)} of {len(paths)} shards have no labels; "
                        "needed: all or none")
    numbers = np.concatenate([np.full(len(offsets), i, np.int32) for i, (offsets, *_) in enumerate(parts)])
    labels = np.concatenate([labels for _, _, labels in parts if labels is not None]) if any(labelled) else None
    return Index(tuple(paths), numbers, np.concatenate([offsets for offsets, *_ in parts]),
                 np.concatenate([sizes for _, sizes, _ in parts]), labels)


def _entries(path):
    """(offsets, sizes, labels or None) of one shard."""
    try:
        offsets, sizes, labels = (_of_tar if kind(path) == "tar" else _of_records)(path)
    except (OSError, tarfile.TarError, EOFError) as error:
        raise UserError(f"{printable(path)} cannot be read: {reason(error)}") from error
    lacking = labels.count(None)
    if 0 < lacking < len(labels):
        raise UserError(f"{printable(path)}: {lacking} of {len(labels)} images have no label; needed: all or none")
    return (np.array(offsets, np.int64), np.array(sizes, np.int64),
            np.array(labels, str) if labels and not lacking else None)


def _of_tar(path):
    """As `_entries`, as lists: an image is a file whose suffix is a picture's, its label KEY.cls beside KEY.jpg."""
    with open(path, "rb") as file:
        if file.read(2) == b"\x1f\x8b":
            raise UserError(f"{printable(path)} is compressed, so that no image can be read without all before it; "
                            "needed: gunzip it")
        file.seek(0)
        pictures, labels = [], {}
        with tarfile.open(fileobj=file, mode="r:") as archive:
            for member in archive:
                folder, _, name = member.name.rpartition("/")
                key, _, suffix = name.partition(".")
                if not member.isfile() or not key:
                    continue
                if suffix.lower() == "cls":
                    labels[folder, key] = archive.extractfile(member).read().decode("utf-8", "replace").strip()
                elif "." + suffix.lower().rpartition(".")[2] in images.readable_suffixes():
                    pictures.append(((folder, key), member.offset_data, member.size))
                archive.members = []  # it would keep all
    return ([offset for _, offset, _ in pictures], [size for *_, size in pictures],
            [labels.get(key) for key, *_ in pictures])


def _of_records(path):
    """As `_of_tar`, of a TFRecord file: each record is a tf.train.Example with an encoded image."""
    offsets, sizes, labels, names = [], [], [], None
    with open(path, "rb") as file:
        position, end = 0, os.path.getsize(path)
        while position < end:
            head = file.read(12)
            length = struct.unpack("<Q", head[:8])[0] if len(head) == 12 else end
            if position + 16 + length > end:
                raise UserError(f"{printable(path)} is no TFRecord file, is compressed, or ends too early, at byte "
                                f"{position} of {end}")
            data = file.read(length)
            file.seek(4, os.SEEK_CUR)
            try:
                features = tf.train.Example.FromString(data).features.feature
            except Exception as error:  # of protobuf, whose errors have no common class in all its versions
                raise UserError(f"{printable(path)}: the record at byte {position} is no tf.train.Example") from error
            names = names or _feature_names(features, path)
            encoded = features[names[0]].bytes_list.value if names[0] in features else ()
            if len(encoded) != 1:
                raise UserError(f"{printable(path)}: the record at byte {position} has no {names[0]}")
            offsets.append(position + 12 + data.index(encoded[0]))
            sizes.append(len(encoded[0]))
            labels.append(_label(features, names[1]))
            position += 16 + length
    return offsets, sizes, labels


def _feature_names(features, path):
    """(name of the feature with the encoded image, name of that with the label or None) of a first record."""
    def holds_image(name):
        values = features[name].bytes_list.value
        try:
            return len(values) == 1 and bool(images.read_bytes(values[0], name).size)
        except images.UnreadableImage:
            return False

    candidates = [name for name in (*IMAGE_FEATURES, *sorted(features)) if name in features]
    image = next(filter(holds_image, candidates), None)
    if image is None:
        raise UserError(f"{printable(path)}: no feature of its first record is an encoded image; there: "
                        f"{', '.join(sorted(features)) or 'none'}")
    return image, next((name for name in LABEL_FEATURES if name in features and name != image), None)


def _label(features, name):
    if name is None or name not in features:
        return None
    values = [*features[name].int64_list.value, *features[name].bytes_list.value]
    if len(values) != 1:
        return None
    return values[0].decode("utf-8", "replace") if isinstance(values[0], bytes) else str(values[0])


def _place(path):
    status = os.stat(path)
    mark = digest([_FORMAT, os.path.abspath(path), status.st_size, status.st_mtime_ns])
    return cache_folder.path() / "shards" / f"{mark[:32]}.npz"


def _recalled(path):
    """What `_entries` found in an earlier run; None if it is not known."""
    try:
        with np.load(_place(path), allow_pickle=False) as kept:
            return kept["offsets"], kept["sizes"], kept["labels"] if "labels" in kept else None
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None


def _remembered(path, offsets, sizes, labels):
    """Keeps what `_entries` found, if there is a place; returns it."""
    try:
        packed = io.BytesIO()
        np.savez(packed, offsets=offsets, sizes=sizes, **({} if labels is None else {"labels": labels}))
        files.write_atomically(_place(path), packed.getvalue(), durable=False)
    except OSError as error:
        terminal.say(f"{printable(path)}: where its images lie cannot be remembered ({reason(error)}); it is read "
                     "again in each run")
    return offsets, sizes, labels
