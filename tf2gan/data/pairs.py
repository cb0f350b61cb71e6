"""Pairs of images, A and B: which belong together, and pairs that are made from photographs.

Pairs are the splits of an unpaired data set, trainA, trainB, testA and testB, whose examples number i belong together.
"""
import dataclasses
import pathlib
from typing import Optional

import numpy as np
import tensorflow as tf
from PIL import Image, ImageFilter, ImageOps

from tf2gan.core import progress, terminal
from tf2gan.core.colors import grey
from tf2gan.core.errors import UserError, printable
from tf2gan.data import folders, load, memory
from tf2gan.data.split import Split, num_held_out

SPLITS = folders.UNPAIRED_SPLITS
MADE = ("grey", "edges")
_TESTS = ("test", "val", "validation")  # names of a folder with held-out pairs, the first that is there
# (folder of the training images of a domain, of its test images or None)
_FOLDERS = (("train{}", "test{}"), *(("train/{}", f"{name}/{{}}") for name in _TESTS),
            *(("{}/train", f"{{}}/{name}") for name in _TESTS), ("{}", None))
_LAYOUTS = ("files in train and test, each with the two images side by side; or A and B, or trainA, trainB, testA and "
            "testB, with files of the same names")


@dataclasses.dataclass(frozen=True)
class Recipe:
    """How pairs are made; by default, they are there as such."""

    input_from: Optional[str] = None  # one of MADE: A is made from B, a photograph
    features: Optional[str] = None  # "INPUT,TARGET": two features of a tensorflow-datasets name

    @classmethod
    def of(cls, config):
        """That of a method's Config."""
        return cls(config.input_from, config.pair_features)


def load_pairs(dataset, recipe, data_dir=None, skip_unreadable=False) -> dict:
    """{"trainA", "trainB", "testA", "testB": Split}: example i of A and of B have the same size and belong together.

    Args:
        dataset: a built-in set or a folder of pairs (see `_LAYOUTS`); a tensorflow-datasets name with two features that
            `recipe` names; or, to make A from B, any data of single images. Without test pairs, the last tenth, at
            least 1 and at most 100, is held out.
        recipe: a `Recipe`.
        data_dir, skip_unreadable: as for `load.load`.

    Raises UserError, which lists all images without a partner, or with one of another size.
    """
    if recipe.input_from and recipe.features:
        raise UserError("give only one of --input-from and --pair-features")
    if recipe.input_from:
        return _made(_images(dataset, data_dir, skip_unreadable), recipe.input_from)
    if recipe.features:
        return _of_features(dataset, recipe.features, data_dir)
    if memory.is_name(dataset):
        return load.load(dataset, SPLITS)
    if load.is_path(dataset):
        if load.has_shards(dataset):
            raise UserError(f"dataset {dataset!r} is of shards, whose images are single ones; possible: --input-from "
                            f"{' or '.join(MADE)}, which makes pairs of them, or a folder of pairs: {_LAYOUTS}")
        return _of_folder(pathlib.Path(dataset).expanduser(), skip_unreadable)
    name = dataset.split("/")[0]
    if name not in load.BUILT_IN or not load.BUILT_IN[name].PAIRED:
        paired = [each for each, builder in load.BUILT_IN.items() if builder.PAIRED]
        raise UserError(f"dataset {dataset!r}: which of its images are pairs is not known; possible: --pair-features "
                        f"INPUT,TARGET, --input-from {' or '.join(MADE)}, a folder of pairs, or {', '.join(paired)}")
    return load.load(dataset, SPLITS, data_dir)


# Pairs that are made.

def _images(dataset, data_dir, skip_unreadable):
    """{"train": Split, "test": Split} of single images."""
    found = load.load(dataset, ("train",), data_dir, skip_unreadable, optional=_TESTS)
    test = next((found[name] for name in _TESTS if name in found), None)
    train, test = _held_out(found["train"], dataset) if test is None else (found["train"], test)
    return {"train": train, "test": test}


def _made(splits, kind):
    """Pairs of what is made of an image, and the image in colour."""
    function = {"grey": grey, "edges": edges}[kind]

    def split(name, domain):
        original = splits[name]

        def decode(record):
            image = _in_colour(original.decode(record)["image"])
            return {"image": function(image) if domain == "A" else image}

        height, width, _ = original.image_shape
        how = kind if domain == "A" else "as it is"
        return dataclasses.replace(original, name=f"{name}{domain}", decode=decode, image_shape=(height, width, 3),
                                   class_names=None, fingerprint=f"{original.fingerprint} {how}",
                                   version=f"{original.version} {how}", names=_numbered(original))

    return {f"{name}{domain}": split(name, domain) for name in ("train", "test") for domain in "AB"}


def _in_colour(image):
    return tf.image.grayscale_to_rgb(image) if image.shape[-1] == 1 else image


def edges(image):
    """Dark lines on white where an image uint8 [height, width, 3] has edges: Pillow's FIND_EDGES, smoothed before."""
    lines = tf.numpy_function(_edges, [image], tf.uint8, stateful=False)
    return tf.ensure_shape(lines, image.shape)


def _edges(image):
    smooth = Image.fromarray(image).convert("L").filter(ImageFilter.GaussianBlur(1.0))
    found = ImageOps.autocontrast(smooth.filter(ImageFilter.FIND_EDGES).crop((1, 1, *np.subtract(smooth.size, 1))),
                                  cutoff=1)
    lines = np.pad(255 - np.asarray(found), 1, constant_values=255)  # FIND_EDGES leaves the border as it was
    return np.repeat(lines[..., None], 3, axis=-1)


def _of_features(dataset, features, data_dir):
    names = [name.strip() for name in features.split(",")]
    if len(names) != 2 or not all(names):
        raise UserError(f"--pair-features {features}: needed: two names, INPUT,TARGET")
    if memory.is_name(dataset) or load.is_path(dataset):
        raise UserError(f"--pair-features {features}: is for tensorflow-datasets names, not for {dataset}")
    found = load.load_features(dataset, names, "train", _TESTS, data_dir)
    splits = {}
    for domain, parts in zip("AB", found):
        train, test = parts["train"], next((parts[name] for name in _TESTS if name in parts), None)
        if test is None:
            train, test = _held_out(train, dataset)
        for name, part in (("train", train), ("test", test)):
            splits[f"{name}{domain}"] = dataclasses.replace(
                part, name=f"{name}{domain}", decode=_decoder_in_colour(part), names=_numbered(part),
                image_shape=(*part.image_shape[:2], 3))
    return splits


def _decoder_in_colour(split):
    return lambda record: {"image": _in_colour(split.decode(record)["image"])}


def _numbered(split):
    return split.names or tuple(map(str, range(split.num_examples)))


# Folders of pairs.

def _of_folder(root, skip_unreadable):
    """Pairs in a folder of one of the `_LAYOUTS`."""
    folders.existing(root, f"a folder of pairs: {_LAYOUTS}")
    halves = _two_folders(root)
    if halves is None:
        return _side_by_side(root, skip_unreadable)
    paths = {name: folders.some_images(folder) for name, folder in halves.items()}
    below = {name: {path.relative_to(halves[name]).with_suffix("").as_posix(): path for path in found}
             for name, found in paths.items()}
    problems = []
    for kind in dict.fromkeys(name[:-1] for name in halves):
        a, b = below[f"{kind}A"], below[f"{kind}B"]
        problems += [f"{printable(one[name])}: no image of this name in {printable(folder)}"
                     for one, other, folder in ((a, b, halves[f"{kind}B"]), (b, a, halves[f"{kind}A"]))
                     for name in one if name not in other]
    _refuse(problems, root)
    ordered = {name: [below[name][each] for each in below[f"{name[:-1]}A"]] for name in halves}
    shapes = _inspected(ordered, skip_unreadable)
    kept = {}
    for kind in dict.fromkeys(name[:-1] for name in halves):
        pairs = list(zip(ordered[f"{kind}A"], ordered[f"{kind}B"]))
        readable = [pair for pair in pairs if all(path in shapes for path in pair)]
        problems += [f"{printable(b)}: {_size(shapes[b])}, and {printable(a)}: {_size(shapes[a])}"
                     for a, b in readable if shapes[a][:2] != shapes[b][:2]]
        kept[f"{kind}A"], kept[f"{kind}B"] = map(list, zip(*readable)) if readable else ([], [])
    _refuse(problems, root)
    return _with_test({name: _file_split(name, halves[name], found, shapes, folders.decode)
                       for name, found in kept.items()}, root)


def _two_folders(root):
    """{split: folder} where A and B are folders of their own; None if they are not."""
    for train, test in _FOLDERS:
        found = {f"{kind}{domain}": root / place.format(domain)
                 for kind, place in (("train", train), ("test", test)) if place for domain in "AB"}
        there = {name: folder for name, folder in found.items() if folder.is_dir()}
        if len(there) == 4:
            return there
        has_tests = any((root / name).is_dir() or (root / "A" / name).is_dir() for name in _TESTS)
        if len(there) == 3 and {"trainA", "trainB"} <= set(there):
            missing = next(name for name in found if name not in there)
            raise UserError(f"{printable(root)}: its test images have no folder {printable(found[missing])}; needed: "
                            f"{_LAYOUTS}; or no test images, then some of the others are held out")
        if {"trainA", "trainB"} <= set(there) and not has_tests:
            return {name: there[name] for name in ("trainA", "trainB")}
    return None


def _side_by_side(root, skip_unreadable):
    """Pairs in one file each: A is the left half, B the right."""
    if (root / "train").is_dir():
        test = next((name for name in _TESTS if (root / name).is_dir()), None)
        places = {"train": root / "train", **({"test": root / test} if test else {})}
    else:
        places = {"train": root}
    paths = {name: folders.some_images(place) for name, place in places.items()}
    shapes = _inspected(paths, skip_unreadable)
    paths = {name: [path for path in found if path in shapes] for name, found in paths.items()}
    _refuse([f"{printable(path)}: {_size(shapes[path])}, not two images of the same size side by side"
             for found in paths.values() for path in found if shapes[path][1] % 2 or shapes[path][1] < shapes[path][0]],
            root)
    splits = {}
    for name, found in paths.items():
        for domain in "AB":
            half = {path: (height, width // 2, channels) for path, (height, width, channels) in shapes.items()}
            splits[f"{name}{domain}"] = _file_split(f"{name}{domain}", places[name], found, half, _half(domain))
    return _with_test(splits, root)


def _half(domain):
    def decode(path):
        image = folders.decode(path)
        middle = tf.shape(image)[1] // 2
        return image[:, :middle] if domain == "A" else image[:, middle:]

    return decode


def _inspected(paths, skip_unreadable):
    """{path: (height, width, channels)} of all that can be read. Raises UserError for the others, or says so."""
    with progress.Counter("checking", sum(map(len, paths.values()))) as counter:
        shapes, skipped = folders.shapes(paths, skip_unreadable, counter)
    for path, why in skipped:
        terminal.say(f"skipped {path}: {why}")
    return shapes


def _file_split(name, root, paths, shapes, decode):
    if not paths:
        raise UserError(f"{name} has no pairs left that can be read")
    sizes = {shapes[path][:2] for path in paths}
    size = next(iter(sizes)) if len(sizes) == 1 else (None, None)
    return load.of_files(name, root, paths, lambda record: {"image": decode(record["path"])}, (*size, 3),
                         tuple(path.relative_to(root).with_suffix("").as_posix() for path in paths))


def _size(shape):
    return f"{shape[1]}x{shape[0]}"


def _refuse(problems, root):
    if problems:
        raise UserError("\n  ".join([f"{printable(root)}: {len(problems)} images have no partner that fits; needed: "
                                     f"{_LAYOUTS}", *problems]))


# Held-out pairs.

def _with_test(splits, dataset):
    if "testA" in splits:
        return splits
    parts = {domain: _held_out(splits[f"train{domain}"], dataset, say=domain == "A") for domain in "AB"}
    return {f"{kind}{domain}": dataclasses.replace(parts[domain][position], name=f"{kind}{domain}")
            for position, kind in enumerate(("train", "test")) for domain in "AB"}


def _held_out(split, dataset, say=True):
    """(the first examples, the last ones), the latter to measure on."""
    num = num_held_out(split.num_examples)
    if split.num_examples < 2:
        raise UserError(f"{dataset}: {split.num_examples} image: at least 2 are needed, of which one is held out")
    if say:
        terminal.say(f"{dataset} has no test images: the last {num} of {split.num_examples} are held out")
    return _part(split, 0, split.num_examples - num), _part(split, split.num_examples - num, split.num_examples)


def _part(split, first, last) -> Split:
    return dataclasses.replace(
        split, num_examples=last - first, records=split.records.skip(first).take(last - first),
        names=split.names[first:last], fingerprint=f"{split.fingerprint} {first} to {last}",
        version=split.version and f"{split.version} {first} to {last}", summary="")
