"""Chooses the training images that keep their labels in semi-supervised learning: equally many per class, by a seed."""
import dataclasses
import hashlib

import numpy as np
import tensorflow as tf

from tf2gan.core.errors import UserError
from tf2gan.core.seeds import fold
from tf2gan.data.split import NO_LABEL


def divided(splits, config):
    """`splits`, with those added that semi-supervised training reads beside "train".

    "labelled": the `config.num_labels` chosen images. "unlabelled": the images used without labels. "supervised", if
    `config.fully_supervised`: all that have a label. Raises UserError for labels that are missing, out of range, or
    fewer than requested, and if no image is left unlabelled.
    """
    train = splits["train"]
    labels = read_labels(train, config.dataset)
    chosen = stratified(labels, config.num_labels, seed_of(config), train.class_names, config.dataset)
    found = {**splits, "labelled": taken(train, chosen, "labelled")}
    rest = np.setdiff1d(np.arange(len(labels)), chosen) if config.exclude_labelled else None
    unlabelled = train if rest is None else taken(train, rest, "rest")
    more = config.more_unlabelled
    if not unlabelled.num_examples and more is None:
        raise UserError(f"--exclude-labelled: all {len(labels)} images of train are labelled ones, so none are left; "
                        "possible: fewer --num-labels, or --more-unlabelled")
    found["unlabelled"] = unlabelled if more is None else joined(unlabelled, splits[more])
    if config.fully_supervised:
        found["supervised"] = taken(train, np.flatnonzero(labels != NO_LABEL), "supervised")
    return found


def seed_of(config):
    """The seed that chooses the images that keep their labels."""
    return config.seed if config.label_seed is None else config.label_seed


def read_labels(split, where):
    """The labels of a split, int64 [num_examples], in its order. Raises UserError for one that is out of range."""
    def label(record):
        return record["label"]

    labels = np.concatenate(list(split.records.map(label).batch(4096).as_numpy_iterator()))
    highest = len(split.class_names) - 1
    wrong = np.flatnonzero((labels < NO_LABEL) | (labels > highest))
    if wrong.size:
        raise UserError(f"dataset {where!r}: example {wrong[0]} of {split.name} has the label {labels[wrong[0]]}; "
                        f"possible: 0 to {highest}, or {NO_LABEL} for none")
    return labels


def stratified(labels, num, seed, class_names, where):
    """Positions in `labels` of `num` random examples, sorted: equally many per class, the first ones get a remainder.

    `num` None: all that have a label. Raises UserError if a class has too few, or gets none.
    """
    of_class = [np.flatnonzero(labels == label) for label in range(len(class_names))]
    empty = [name for name, positions in zip(class_names, of_class) if not positions.size]
    if empty:
        raise UserError(f"dataset {where!r}: no image of train has the label {', '.join(empty)}")
    if num is None:
        return np.sort(np.concatenate(of_class))
    if num < len(class_names):
        raise UserError(f"--num-labels {num}: fewer than the {len(class_names)} classes of {where}; at least one of "
                        "each is needed")
    chosen = []
    for label, positions in enumerate(of_class):
        share = num // len(class_names) + (label < num % len(class_names))
        if share > positions.size:
            most = min(map(len, of_class)) * len(class_names)
            raise UserError(f"--num-labels {num}: {share} of each class are too many, {class_names[label]} has "
                            f"{positions.size} in {where}; possible: up to {most}, or none for all labels")
        keys = tf.random.stateless_uniform([positions.size], fold(seed, "labels", label), None, None, tf.int64).numpy()
        chosen.append(positions[np.argsort(keys, kind="stable")[:share]])
    return np.sort(np.concatenate(chosen))


def taken(split, positions, name):
    """The examples of a split at `positions`, sorted ints, as a new split."""
    kept = np.zeros(split.num_examples, bool)
    kept[positions] = True
    kept = tf.constant(kept)

    def is_kept(position, record):
        return kept[position]

    def without_position(position, record):
        return record

    records = split.records.enumerate().filter(is_kept).map(without_position)
    digest = hashlib.sha256(f"{split.fingerprint} {positions.tolist()}".encode()).hexdigest()
    return dataclasses.replace(split, name=name, num_examples=len(positions), records=records, fingerprint=digest,
                               version="", summary=f"{len(positions)} of the images of {split.name}")


def joined(first, second):
    """The examples of two splits of one data set as one split, those of `first` first."""
    same = [one if one == other else None for one, other in zip(first.image_shape[:2], second.image_shape[:2])]
    return dataclasses.replace(
        first, name=f"{first.name} and {second.name}", num_examples=first.num_examples + second.num_examples,
        records=first.records.concatenate(second.records), record_bytes=max(first.record_bytes, second.record_bytes),
        fingerprint=f"{first.fingerprint} {second.fingerprint}", image_shape=(*same, first.image_shape[2]), version="")
