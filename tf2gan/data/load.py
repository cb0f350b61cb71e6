"""Loads all data: a tensorflow-datasets name, a built-in set or a folder becomes splits of undecoded examples."""
import collections
import contextlib
import dataclasses
import io
import os
import pathlib
import urllib.parse
from typing import Dict, Sequence

import absl.logging
import numpy as np
import tensorflow as tf
import tensorflow_datasets as tfds

from tf2gan.core import downloads, images, progress, terminal
from tf2gan.core.errors import UserError, did_you_mean, unknown
from tf2gan.data import folders, memory, padding, pipeline, shards, synthetic
from tf2gan.data.split import NO_LABEL, Split, identity

# {name: builder}; `synthetic_apple2orange/64` is that set at 64 pixels.
BUILT_IN = {builder.name: builder for builder in (
    synthetic.SyntheticApple2orange, synthetic.SyntheticFacades, synthetic.SyntheticDigits,
    synthetic.SyntheticHouseNumbers, synthetic.SyntheticObjects, synthetic.SyntheticOutlines)}
_MOST_CLASSES = 12  # named with their number of images


def load(dataset: str, splits: Sequence[str], data_dir=None, skip_unreadable=False, optional=(),
         unlabelled=()) -> Dict[str, Split]:
    """{split: Split} of `dataset`.

    Args:
        dataset: path of a folder (with a slash at either end or a leading dot or tilde, or an existing folder), a
            tensorflow-datasets name such as `cycle_gan/apple2orange`, or a built-in set, which may have a size in
            pixels: `synthetic_apple2orange/128`. A name may end in a size to which images are padded with black:
            `mnist@32`. In a folder, unpaired splits are trainA, trainB, testA and testB; for others see
            `folders.image_splits`: train and test, or images alone, with or without classes.
        splits: names of the splits that are needed. If trainA is among them, a folder gives all four.
        data_dir: where tensorflow-datasets keeps its data; default TFDS_DATA_DIR, or ~/tensorflow_datasets.
        skip_unreadable: leave out files of a folder that cannot be read.
        optional: further splits, left out if they do not exist.
        unlabelled: further splits that are needed without labels. In a folder, each is a sub folder with images at any
            depth; their labels are -1 (none).

    Raises UserError if the data are not available, lack a split or cannot be read.
    """
    if not dataset:
        raise UserError("--dataset: is empty; needed: a data set's name, or the path of a folder of images")
    if memory.is_name(dataset) and "@" not in dataset:
        return memory.splits(dataset, splits, optional, unlabelled)
    if is_path(dataset):
        if has_shards(dataset):
            if unlabelled:
                raise UserError(f"dataset {dataset!r} is of shards, in which there are no further images without "
                                "labels; possible: a folder of images")
            return shards.load(pathlib.Path(dataset).expanduser(), splits, optional, skip_unreadable)
        there = [name for name in optional if (pathlib.Path(dataset).expanduser() / name).is_dir()]
        return _load_folder(dataset, (*splits, *there), skip_unreadable, unlabelled)
    name, size = padding.parted(dataset)
    if size is not None:
        if is_path(name):  # runs store a folder's full path, which this is not
            raise UserError(f"dataset {dataset!r}: only data sets by name are padded; of a folder, images are resized")
        found = load(name, splits, data_dir, skip_unreadable, optional, unlabelled)
        return {split: padding.padded(found[split], size, dataset) for split in found}
    if data_dir and not os.path.isdir(data_dir) and dataset.split("/")[0] not in BUILT_IN:
        raise UserError(f"--data-dir {data_dir}: no such folder; make it first to download into it")
    if os.path.isfile(dataset):
        raise UserError(f"dataset {dataset!r} is a file; possible: a folder of images, or a name")
    builder = _builder(dataset, data_dir)
    _check_images(builder, dataset)
    splits = (*splits, *unlabelled)
    if builder.name in BUILT_IN:
        _check_splits(dataset, splits, builder.SPLITS)  # before the work of generating it
    _prepare(builder, dataset, [name for name, other in BUILT_IN.items() if set(splits) <= set(other.SPLITS)])
    _check_splits(dataset, splits, list(builder.info.splits))
    return {split: _tfds_split(builder, split)
            for split in (*splits, *(name for name in optional if name in builder.info.splits))}


def load_features(dataset: str, features: Sequence[str], split: str, optional=(), data_dir=None) -> list:
    """[{split: Split}] for each of the `features` of a tensorflow-datasets name, images all. Raises UserError.

    `split` is needed; those of `optional` that exist come with it. Example i of each is of the same record.
    """
    builder = _builder(dataset, data_dir)
    for feature in features:
        _check_images(builder, dataset, feature)
    _prepare(builder, dataset, [])
    _check_splits(dataset, [split], list(builder.info.splits))
    return [{name: _tfds_split(builder, name, feature)
             for name in (split, *(each for each in optional if each in builder.info.splits))} for feature in features]


def load_flat(folder: str, skip_unreadable=False) -> Split:
    """All images in a folder, at any depth, or the "train" images in memory, as one split. Raises UserError."""
    if memory.is_name(folder):
        return dataclasses.replace(memory.splits(folder, ["train"])["train"], name="images")
    root = folders.existing(folder, "a folder of images")
    return _checked_splits(root, {"images": folders.some_images(root)}, None, {}, skip_unreadable)["images"]


def _check_splits(dataset, needed, there):
    lacking = [split for split in needed if split not in there]
    if lacking:
        raise UserError(f"dataset {dataset!r} lacks the splits {', '.join(lacking)}; it has {', '.join(there)}")


def is_path(dataset) -> bool:
    """Whether this is the path of a folder rather than a name."""
    return dataset.startswith((".", "/", "~")) or dataset.endswith("/") or os.path.isdir(dataset)


def has_shards(dataset) -> bool:
    """Whether a folder has shards and, at any depth, no images, which may lie beside the archive that they came in."""
    root = pathlib.Path(dataset).expanduser()
    return root.is_dir() and bool(shards.found(root)) and not any(
        images.is_image(os.path.join(parent, name)) for parent, _, names in os.walk(root) for name in names
        if not name.startswith(".") and not shards.kind(name))


def _load_folder(dataset, splits, skip_unreadable, unlabelled):
    root = pathlib.Path(dataset).expanduser()
    if "trainA" in splits:
        return _checked_splits(root, folders.unpaired_splits(root), None, {}, skip_unreadable)
    paths, class_names, labels = folders.image_splits(root, splits)
    for name in unlabelled:
        if name in (class_names or ()):
            raise UserError(f"{root}: {name} counts as one of its classes; needed: the classes in {root / 'train'}, "
                            f"and {name} beside that")
        paths[name] = folders.some_images(folders.existing(root / name, "a folder of images without labels"))
    return _checked_splits(root, paths, class_names, labels, skip_unreadable)


def _checked_splits(root, paths, class_names, labels, skip_unreadable):
    channels = 3
    total = sum(map(len, paths.values()))
    is_large = total > folders.MOST_CHECKED
    looked_at = {name: [each[i] for i in folders.spread(len(each), max(1, folders.LOOKED_AT * len(each) // total))]
                 for name, each in paths.items()} if is_large else paths
    with progress.Counter("checking", sum(map(len, looked_at.values()))) as counter:
        looked_at, skipped, shapes, sizes = folders.check(looked_at, skip_unreadable, counter)
    for path, reason in skipped:
        terminal.say(f"skipped {path}: {reason}")
    if not is_large:
        paths = looked_at
    if "trainA" not in paths:  # with trainA, networks take colour only
        channels = shapes.get("train", next(iter(shapes.values())))[2]

    def split(name):
        shape, files = shapes[name][:2], paths[name]
        names = (tuple(str(path.relative_to(root / name).with_suffix("")) for path in files)
                 if "trainA" in paths else ())
        encoded = [os.fsencode(path) for path in files]
        # A row is 8 bytes of tf.data's memory, which holds all of an epoch in their order.
        records = {"row": np.arange(len(files), dtype=np.int64)} if is_large else {"path": encoded}
        if class_names is not None:
            records["label"] = np.array([labels.get(path, NO_LABEL) for path in files], np.int64)

        def decode(record):
            if is_large:
                image = folders.decode_row(lambda row: images.read_image(encoded[row]), record["row"], len(files),
                                           skip_unreadable)
                image = pipeline.of_shape(image, shape)
            else:
                image = folders.decode(record["path"])
            image = tf.image.rgb_to_grayscale(image) if channels == 1 else image
            return {"image": image} if class_names is None else {"image": image, "label": record["label"]}

        of_label = collections.Counter(records["label"].tolist()) if class_names is not None else {}
        counts = [f"{class_name} {of_label[number]}" for number, class_name in enumerate(class_names or ())]
        summary = _summary(len(files), sizes[name], channels, counts)
        if is_large:
            summary += f"; {len(looked_at[name])} of them looked at"
        return dataclasses.replace(of_files(name, root, files, decode, (*shape, channels), names, records),
                                   class_names=class_names, summary=summary)

    return {name: split(name) for name in paths}


def of_files(name, root, paths, decode, image_shape, names=(), records=None) -> Split:
    """A Split of files below `root`. `records`: {key: a row for each}; None: their "path". Else as in Split."""
    if records is None:
        records = {"path": [os.fsencode(path) for path in paths]}
    return Split(name, len(paths), tf.data.Dataset.from_tensor_slices(records), decode, 200, image_shape=image_shape,
                 names=names, slow_to_decode=True, **identity(paths, root))


def _summary(num, sizes, channels, counts):
    """One line about a folder's images: how many, of which classes, sizes and colour."""
    size = " to ".join(f"{width}x{height}" for height, width in dict.fromkeys(sizes))
    classes = [f"{len(counts)} classes: {', '.join(counts[:_MOST_CLASSES])}{', ...' * (len(counts) > _MOST_CLASSES)}"]
    return "; ".join([f"{num} images", size, "grey" if channels == 1 else "colour", *(classes if counts else [])])


def _builder(dataset, data_dir):
    name, _, config = dataset.partition("/")
    if not data_dir and os.environ.get("TFDS_DATA_DIR") == "":  # as if it were not set
        data_dir = os.path.expanduser("~/tensorflow_datasets")
    if name in BUILT_IN:
        builder = BUILT_IN[name]
        try:
            with _hushed():
                return builder(data_dir=data_dir, config=builder.config_for(int(config) if config else None))
        except ValueError as error:
            least = builder.config_for().MIN_SIZE
            raise UserError(f"dataset {dataset!r}: after the slash comes a size in pixels, at least {least}") from error
    first, there = pathlib.Path(dataset).parts[0], pathlib.Path(dataset).parent
    if config and name not in tfds.list_builders(with_community_datasets=False) and os.path.isdir(first):
        around = next(path for path in (there, *there.parents) if path.is_dir())
        inside = sorted(entry.name for entry in os.scandir(around) if entry.is_dir())
        missing = pathlib.Path(dataset).relative_to(around).parts[0]
        hint = did_you_mean(missing, inside, show=lambda near: str(around / near))
        raise UserError(f"{dataset} does not exist; {hint}there in {around}: "
                        f"{', '.join(inside[:_MOST_CLASSES]) or 'no folders'}")
    # Checked first: tensorflow-datasets would search the network for an unknown name, among community data sets.
    folder = os.path.expanduser(data_dir or os.environ.get("TFDS_DATA_DIR") or "~/tensorflow_datasets")
    if name not in tfds.list_builders(with_community_datasets=False) and not os.path.isdir(os.path.join(folder, name)):
        raise _no_such_dataset(name)
    try:
        with _hushed():
            return tfds.builder(dataset, data_dir=data_dir)
    except (ValueError, OSError, RuntimeError, ImportError) as error:
        lines = str(error).splitlines() or [type(error).__name__]
        configs = _configs(name)
        if config and configs and config.split(":")[0] not in configs:
            raise unknown(f"configuration of {name}", config, configs) from error
        raise UserError(f"dataset {dataset!r}: {lines[0]}") from error


def _no_such_dataset(name):
    known = sorted(set(tfds.list_builders(with_community_datasets=False)) | set(BUILT_IN))
    message = str(unknown("dataset", name, known)).split("possible: ")[0]
    return UserError(f"{message}possible: a folder, a built-in set ({', '.join(BUILT_IN)}), or any of the {len(known)} "
                     "sets of tensorflow-datasets")


def _configs(name):
    with contextlib.suppress(Exception):  # only for a better message; the error itself is reported anyway
        return list(tfds.builder_cls(name).builder_configs)
    return []


def _prepare(builder, dataset, drawn):
    """Generates or downloads what is missing; before a download, quickly checks that the host can be reached.

    `drawn`: names of built-in sets that could be used instead, for messages.
    """
    if os.path.exists(os.path.join(str(builder.data_path), "dataset_info.json")):
        return
    alternative = f"no download is needed for {', '.join(drawn)}"
    if builder.name not in BUILT_IN:
        url = _first_url(builder)
        unreachable = url and downloads.unreachable_host(url)  # TFDS itself would retry for minutes
        if unreachable:
            raise UserError(f"dataset {dataset!r} is not in {_root(builder)} and cannot be downloaded: no connection "
                            f"to {unreachable}; --data-dir names another folder, and {alternative}")
    terminal.say(f"preparing {dataset} in {builder.data_path} ...")
    has_bars = builder.name not in BUILT_IN and terminal.is_terminal()  # those of tensorflow-datasets
    beats = contextlib.nullcontext() if has_bars else progress.heartbeat(f"preparing {dataset}")
    try:
        with _hushed(keep_bars=True), beats:
            builder.download_and_prepare(download_config=tfds.download.DownloadConfig(try_download_gcs=False))
    except Exception as error:  # a builder can raise anything
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise UserError(f"dataset {dataset!r} cannot be prepared in {_root(builder)}: {reason}; "
                        f"{alternative}") from error


def _root(builder):
    return str(builder.data_path).split("/" + builder.name)[0]


def _first_url(builder):
    """The URL that a download would begin with, or None."""
    urls = getattr(builder, "url_infos", None) or {}
    return next((url for url in urls if urllib.parse.urlparse(url).hostname), None)


def _tfds_split(builder, name, image="image"):
    """`image`: the feature that is the image."""
    info, features = builder.info.splits[name], builder.info.features
    read = tfds.ReadConfig(interleave_cycle_length=1, try_autocache=False)  # one file at a time, for a fixed order
    with _hushed():
        records = builder.as_dataset(split=name, shuffle_files=False, read_config=read,
                                     decoders={image: tfds.decode.SkipDecoding()})

    label = features["label"] if "label" in features else None
    class_names = tuple(label.names) if isinstance(label, tfds.features.ClassLabel) and label.num_classes else None
    keys = {"image": image} if class_names is None else {"image": image, "label": "label"}
    records = records.map(lambda record: {key: record[feature] for key, feature in keys.items()})

    def decode(record):
        return {**record, "image": features[image].decode_example(record["image"])}

    fingerprint = f"{builder.info.full_name} {info.num_bytes} bytes{'' if image == 'image' else f' {image}'}"
    return Split(name, info.num_examples, records, decode, max(1, info.num_bytes // max(1, info.num_examples)),
                 fingerprint, features[image].shape, class_names, fingerprint)


def _check_images(builder, dataset, name="image"):
    """Raises UserError unless the feature of this name is an image; needs no download."""
    features = builder.info.features if isinstance(builder.info.features, tfds.features.FeaturesDict) else {}
    if name not in features:
        raise UserError(f"dataset {dataset!r} has no \"{name}\"; it has {', '.join(features) or 'none'}")
    image = features[name]
    if not isinstance(image, tfds.features.Image) or image.shape[-1] not in (1, 3) or image.tf_dtype != tf.uint8:
        raise UserError(f"dataset {dataset!r}: \"{name}\" is {image}; possible: uint8 images of 1 or 3 channels")


@contextlib.contextmanager
def _hushed(keep_bars=False):
    """Silences tensorflow-datasets: it prints to stdout, which is for results, and logs what is not a problem."""
    level = absl.logging.get_verbosity()
    absl.logging.set_verbosity(absl.logging.ERROR)
    if not (keep_bars and terminal.is_terminal()):
        tfds.disable_progress_bar()
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            yield
    finally:
        absl.logging.set_verbosity(level)
        tfds.enable_progress_bar()
