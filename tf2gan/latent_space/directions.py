"""Attribute directions: the mean latent of one group of images minus that of another, to be added to any latent.

A direction is not normalized: strength 1 leads from the mean of one group to that of the other.
"""
import dataclasses
import json
import pathlib

import numpy as np

from tf2gan.core import files, savedmodel
from tf2gan.core.errors import UserError, printable
from tf2gan.core.versions import versions
from tf2gan.metrics.saved_features import folder_hash
from tf2gan.models import generation

NUM = 200  # latents of each class that are averaged
LIMIT = 20000  # most samples drawn to find them
FORMAT = "tf2gan direction 1"  # the "format" entry of a file
_BATCH = 100  # samples generated and classified at once


@dataclasses.dataclass(frozen=True)
class Direction:
    """A direction in the latent space of one module; strength 1 leads from one group's mean to the other's."""

    vector: np.ndarray  # float32 [latent_size]
    module: str  # name of the generator
    module_hash: str  # of its files, or of the weights of a run
    meaning: str  # a short text: "4 to 9", "seeds 1, 2 to seeds 5, 6"
    info: dict  # protocol, for JSON: what else the vector depends on, and its length


def between(first, second):
    """The mean of the latents `second` minus that of `first`, each [num, latent_size]: float32 [latent_size].

    Raises ValueError for other shapes, and for a group without latents.
    """
    first, second = np.asarray(first, np.float64), np.asarray(second, np.float64)
    if first.ndim != 2 or second.ndim != 2 or first.shape[1] != second.shape[1] or not first.size or not second.size:
        raise ValueError(f"latents are [num, latent_size], num > 0; these are {first.shape} and {second.shape}")
    return (second.mean(axis=0) - first.mean(axis=0)).astype(np.float32)


def of_seeds(generator, from_seeds, to_seeds):
    """The Direction from the first latents of `from_seeds` to the first latents of `to_seeds`, lists of ints.

    Raises UserError for an empty list, and for a seed that occurs twice.
    """
    seeds = [int(seed) for seed in (*from_seeds, *to_seeds)]
    if not len(from_seeds) or not len(to_seeds):
        raise UserError("a direction of seeds needs at least one seed in each of its two groups")
    for position, seed in enumerate(seeds):
        if seed in seeds[:position]:
            raise UserError(f"seed {seed} is there twice; a direction of seeds needs two groups of different ones")
    groups = [np.stack([generator.latents(1, seed)[0] for seed in group]) for group in (from_seeds, to_seeds)]
    told = [("seed " if len(group) == 1 else "seeds ") + ", ".join(map(str, group)) for group in (from_seeds, to_seeds)]
    return _direction(generator, groups, " to ".join(told), {
        "kind": "seeds", "from_seeds": seeds[:len(from_seeds)], "to_seeds": seeds[len(from_seeds):]})


def classifier_record(path):
    """{"name", "hash"} of an exported classifier, savedmodels/NAME or savedmodels/NAME/VERSION, for `of_classes`."""
    folder = savedmodel.find(path)
    return {"name": str(folder), "hash": folder_hash(folder)}


def of_classes(generator, classifier, from_class, to_class, num=NUM, seed=0, progress=None, record=None, limit=LIMIT):
    """The Direction from samples of one class to those of another, as a classifier labels them.

    Args:
        generator: a `latent_space.generators.Generator`.
        classifier: a `models.classification.Classifier`. If it takes images of another size than the generator's, these
            are treated as files are: resized to cover that size, antialiased, and center-cropped.
        from_class, to_class: names of its classes, or their numbers, as str.
        num: latents of each class: the first ones of `seed` whose images are most probably of that class.
        progress: if given, called after each batch with the number of latents that it added, `2 * num` in all.
        record: {"name", "hash"} of the classifier for the protocol, from `classifier_record`.
        limit: most samples to draw.

    Raises UserError for an unknown class, for one class twice, for `num` below 1, and for a class that occurs fewer
    than `num` times in `limit` samples.
    """
    names = classifier.class_names
    facts = generation.Traits((*generator.image_size, generator.channels), generator.latent_size,
                              generator.latent_distribution, len(names), tuple(names))
    labels = [facts.label(str(text)) for text in (from_class, to_class)]
    if labels[0] == labels[1]:
        raise UserError(f"class {names[labels[0]]} is there twice; a direction needs two classes")
    if num < 1:
        raise UserError(f"{num} latents of each class: must be at least 1")
    groups, counts, drawn = _found(generator, classifier, labels, num, seed, limit, progress)
    missing = min(labels, key=counts.get)
    if counts[missing] < num:
        raise UserError(f"only {counts[missing]} of {drawn} samples of seed {seed} are of class {names[missing]}, "
                        f"needed are {num}; possible: fewer of each class, or other classes")
    info = {"kind": "classes", "from_class": names[labels[0]], "to_class": names[labels[1]], "num": num, "seed": seed,
            "drawn": drawn, "found": {names[label]: counts[label] for label in labels},
            "classifier": record, "images": _treatment(facts.image_shape, classifier.image_shape)}
    return _direction(generator, groups, f"{names[labels[0]]} to {names[labels[1]]}", info)


def _found(generator, classifier, labels, num, seed, limit, progress):
    """([latents of the first label, of the second], {label: how many were found}, how many samples were drawn)."""
    groups, counts, drawn = {label: [] for label in labels}, dict.fromkeys(labels, 0), 0
    ahead = np.zeros([0, generator.latent_size], np.float32)
    while drawn < limit and min(counts.values()) < num:
        if drawn == len(ahead):  # doubled, since a sequence can only be drawn from its beginning
            ahead = generator.latents(min(limit, max(2 * drawn, _BATCH)), seed)
        latents = ahead[drawn:drawn + _BATCH]
        drawn += len(latents)
        answers = classifier.probabilities(_fitted(classifier, generator.pictures(latents))).argmax(axis=1)
        for label in labels:
            of_class = latents[answers == label]
            added = of_class[:num - min(num, counts[label])]
            groups[label] += list(added)
            counts[label] += len(of_class)
            if progress is not None:
                progress(len(added))
    return [np.asarray(groups[label]) for label in labels], counts, drawn


def _fitted(classifier, pictures):
    if pictures.shape[1:] == classifier.image_shape:
        return pictures
    return np.stack([classifier.fitted(picture) for picture in pictures])


def _treatment(own, needed):
    own, needed = ["x".join(map(str, shape)) for shape in (own, needed)]
    return f"{own}, as generated" if own == needed else f"{own}, resized to cover {needed}, cropped in the middle"


def _direction(generator, groups, meaning, info):
    """Builds the Direction, with its length and the length that chance alone would give with groups of these sizes."""
    vector = between(*groups)
    variance = 1 / 3 if generator.latent_distribution == "uniform" else 1.0
    by_chance = np.sqrt(generator.latent_size * variance * sum(1 / len(group) for group in groups))
    return Direction(vector, generator.name, generator.hash, meaning, {
        **info, "length": float(np.linalg.norm(vector)), "length_by_chance": float(by_chance),
        "versions": versions()})


def save(path, direction):
    """Writes a Direction as one JSON file, atomically. Raises UserError if it cannot be written."""
    values = {"format": FORMAT, "latent_size": len(direction.vector), **dataclasses.asdict(direction)}
    values["vector"] = [float(value) for value in direction.vector]  # exactly: float64 holds every float32
    try:
        files.write_atomically(path, json.dumps(values, indent=2, allow_nan=False) + "\n")
    except OSError as error:
        raise UserError(f"cannot write {printable(path)}: {error.strerror}") from error


def load(path, generator):
    """The Direction in a file that `save` wrote.

    Raises UserError for a file that cannot be read or has no direction, and for a direction of another latent size, or
    of another module (compared by hash), than the generator's.
    """
    try:
        values = json.loads(pathlib.Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"cannot read the direction {printable(path)}: {error.strerror}") from error
    except ValueError as error:  # not JSON, or not UTF-8
        raise _damaged(path, "no JSON") from error
    direction = _checked(path, values)
    if len(direction.vector) != generator.latent_size:
        raise UserError(f"the direction {printable(path)} is for latents of size {len(direction.vector)}, made with "
                        f"{printable(direction.module)}; those of {printable(generator.name)} have "
                        f"{generator.latent_size}")
    if direction.module_hash != generator.hash:
        made, used = (f"{printable(name)} ({digest[:8]})" for name, digest in (
            (direction.module, direction.module_hash), (generator.name, generator.hash)))
        raise UserError(f"the direction {printable(path)} was made with {made}, and means nothing to {used}")
    return direction


def _checked(path, values):
    """The Direction in the `values` of a file. Raises UserError unless they are complete."""
    if not isinstance(values, dict) or values.get("format") != FORMAT:
        raise _damaged(path, f"it has no \"format\": \"{FORMAT}\"")
    for name, kind in (("module", str), ("module_hash", str), ("meaning", str), ("info", dict), ("vector", list)):
        if not isinstance(values.get(name), kind):
            raise _damaged(path, f"{name} is missing or of another type")
    with np.errstate(over="ignore"):  # reported as not finite below
        vector = np.array([value for value in values["vector"] if isinstance(value, float)], np.float32)
    if not len(vector) == len(values["vector"]) == values.get("latent_size") or not np.all(np.isfinite(vector)):
        raise _damaged(path, "vector has not as many finite numbers as latent_size says")
    return Direction(vector, *(values[name] for name in ("module", "module_hash", "meaning", "info")))


def _damaged(path, reason):
    return UserError(f"{printable(path)} is not a direction, or damaged: {reason}; needed: a file as saved by "
                     "tools/interpolate.py")
