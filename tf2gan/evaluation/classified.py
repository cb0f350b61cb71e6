"""Accuracy of a GAN that classifies, beside that of the same network trained without a GAN.

By default the images are from a split that training has not seen. Their labels count as true.
"""
import contextlib
import dataclasses

import numpy as np
import tensorflow as tf

from tf2gan.core import progress
from tf2gan.core.errors import UserError
from tf2gan.core.seeds import fold
from tf2gan.data import labelled, pipeline
from tf2gan.data.split import NO_LABEL
from tf2gan.evaluation import comparison, generated, image_sets, results
from tf2gan.metrics.accuracy import wilson_interval
from tf2gan.metrics.classifier import label_agreement
from tf2gan.metrics.registry import ACCURACY, parse
from tf2gan.models import classification
from tf2gan.runs import run_folder
from tf2gan.runs.restore import load_gan


def parted(settings, classifies) -> tuple:
    """(whether accuracy is measured, the Settings for metrics of the generator, or None without any).

    For a model that `classifies`, the default is accuracy alone. Raises UserError for unknown metrics.
    """
    if not classifies:
        if settings.metrics is not None:
            parse(settings.metrics)
        return False, settings
    names = (ACCURACY,) if settings.metrics is None else parse(settings.metrics, classifies=True)
    others = ",".join(name for name in names if name != ACCURACY)
    return ACCURACY in names, dataclasses.replace(settings, metrics=others) if others else None


# Evaluation of a run, and of an export.

def of_run(gan, record, settings, data, split=None) -> dict:
    """The record of the accuracy of a GAN from `runs.restore.load_gan`, and of the networks trained for comparison.

    Args:
        data: what `generated.data_of_run` returned.
        split: the name of the requested split; the training images are used only on request.

    Raises UserError if the data have no suitable labels.
    """
    columns = {which: reader(gan, which) for which in gan.classifiers}
    columns["untrained"] = reader(generated.new_gan(type(gan), gan.config))
    return _of_readers(columns, classification.class_names(gan), data, split, settings,
                       generated.source_of_run(gan, record), record["weights"], dataclasses.asdict(gan.config))


def of_savedmodel(path, card, settings, data, split=None) -> dict:
    """The same for an export with the model card `card`, of its model alone; `data`: `generated.data_of_savedmodel`."""
    model = classification.Classifier.from_savedmodel(path)
    decays = (card["config"].get(name) for name in ("ema_decay", "classifier_ema_decay"))
    weights = "averaged" if any(decay is not None for decay in decays) else "raw"
    return _of_readers({"model": lambda images: model.probabilities(images).argmax(axis=-1)}, model.class_names, data,
                       split, settings, generated.source_of_savedmodel(card), weights, card["config"])


def of_finished_run(path) -> list:
    """Evaluates a finished run like tools/evaluate.py, and writes its evaluation.json. Returns lines to print.

    Without a split test it does nothing. Unsuitable labels are only reported, since the training itself is done.
    """
    gan, record = load_gan(path)
    try:
        data = generated.data_of_run(gan, record)
        if data.reference != "test":
            return []
        result = of_run(gan, record, comparison.Settings(show_progress=True), data)
    except UserError as error:
        return [f"accuracy:    not measured: {error}"]
    results.store(result, run_folder.Run(path).evaluation_file)
    (figure,) = result["figures"]
    return [*results.lines_by_column(figure, f"accuracy on {data.label} test, [95 % confidence]:"),
            *(f"warning: {line}" for line in verdict(result))]


def verdict(result) -> list:
    """What an evaluation says against a method: [] or [a sentence]; it does not say that all is well."""
    for row in result["figures"]:
        values, ends = row["values"], row.get("intervals") or {}
        if row["metric"] == ACCURACY and values.get("source_only") is not None:
            if values.get("pixels") is not None and values["model"] <= values["source_only"]:
                return [f"the adaptation has not helped: the accuracy is {100 * values['model']:.1f} % adapted, "
                        f"{100 * values['source_only']:.1f} % by the source alone. Look at the samples: do "
                        "translations keep their class? More --translation-steps often help"]
            return []
        if row["metric"] != ACCURACY or values.get("baseline") is None:
            continue
        accuracies = (f"the accuracy is {100 * values['model']:.1f} % with the GAN, {100 * values['baseline']:.1f} % by "
                      "the labels alone. More steps often help, or a lower --labelled-loss-weight")
        if values["model"] <= values["baseline"]:
            apart = "model" in ends and "baseline" in ends and ends["model"][1] < ends["baseline"][0]
            return [f"the GAN has {'done harm' if apart else 'not helped'}: {accuracies}"]
    return []


def merged(accuracy, generator) -> dict:
    """One record from two records of the same model."""
    return results.record({**generator["protocol"], **accuracy["protocol"]}, accuracy["figures"] + generator["figures"],
                          **{part: {**generator, **accuracy}.get(part) for part in ("classes", "confusion", "nearest")})


# Predictions.

def reader(gan, which="model"):
    """A function from uint8 images [n, height, width, channels] to their predicted classes, int64 [n]."""
    def read(images):
        return gan.classify(images.astype(np.float32) / 127.5 - 1.0, which).numpy().argmax(axis=-1)

    return read


def accuracy(read, images, labels) -> float:
    """The share of uint8 images [n, height, width, channels] whose prediction equals their label; labels int [n]."""
    size = image_sets.batch_size(images.shape[1:])
    return float(np.mean(np.concatenate([read(images[start:start + size])
                                         for start in range(0, len(images), size)]) == labels))


def confusion(columns, images, class_names, counter=None) -> dict:
    """Confusion matrices of `columns`, {column: function from `reader`}, on an ImageSet with labels.

    Returns {"names": [class name], "columns": {column: what `label_agreement` returns}}. Rows of a matrix are true
    classes, columns predicted ones. `counter`: called with the number of images of each batch.
    """
    labels, read = [], {column: [] for column in columns}
    for batch, of_batch in images.batches():
        labels.append(of_batch)
        for column, function in columns.items():
            read[column].append(function(batch))
        if counter is not None:
            counter(len(batch))
    return {"names": list(class_names), "columns": {
        column: label_agreement(np.concatenate(labels), np.concatenate(parts), len(class_names))
        for column, parts in read.items()}}


def weights_of(config, weights):
    """Which weights a classifier predicts with, "averaged" or "raw".

    `config`: the Config of its GAN, as a dict; `weights`: which weights the GAN uses where it has averages.
    """
    name = "ema_decay" if config.get("target") else "classifier_ema_decay"
    return "raw" if config.get(name) is None else weights


def _of_readers(columns, class_names, data, split, settings, source, weights, config):
    images = _labelled(data, class_names, split, settings)
    with contextlib.ExitStack() as stack:
        counter = None
        if settings.show_progress:
            counter = stack.enter_context(progress.Counter(f"{images.name}, {ACCURACY}", images.num))
        found = confusion(columns, images, class_names, counter)
    name = results.figure_name(ACCURACY, images.num, f"{data.label}-{data.reference}",
                               weights=weights_of(config, weights))
    right = {column: int(np.trace(part["confusion"])) for column, part in found["columns"].items()}
    figure = results.entry(ACCURACY, name, {column: (part["overall"], None)
                                            for column, part in found["columns"].items()},
                           {column: wilson_interval(num, images.num) for column, num in right.items()})
    label_seed = config["seed"] if config.get("label_seed") is None else config["label_seed"]
    protocol = {**source, "dataset": data.label, "split": data.reference, "image_shape": list(data.image_shape),
                "resize": data.resize, "seed": settings.seed, "weights": weights,
                ACCURACY: {"num": images.num, "interval": "Wilson, 95 %, over these images",
                           **({"labels": "of the source alone"} if config.get("target") else
                              {"num_labels": config.get("num_labels"), "label_seed": label_seed})}}
    return results.record(protocol, [figure], confusion=found)


def _labelled(data, class_names, split, settings):
    """The ImageSet to evaluate on. Raises UserError unless all its images have a label of these classes."""
    flag = f"--metrics {ACCURACY}"
    if data.class_names is None:
        raise UserError(f"{flag}: {data.label} has no labels")
    if len(data.class_names) != len(class_names):
        raise UserError(f"{flag}: {data.label} has {len(data.class_names)} classes, the model tells {len(class_names)} "
                        "apart")
    for number, (ours, theirs) in enumerate(zip(class_names, data.class_names)):
        if ours != theirs:
            raise UserError(f"{flag}: class {number} of {data.label} is {theirs!r}, of the model it is {ours!r}")
    if data.reference == "train" and split is None:
        raise UserError(f"{flag}: {data.label} has no split test or validation; --split train measures on the images "
                        "of the training")
    labels = labelled.read_labels(data.splits[data.reference], data.label)
    lacking = int((labels == NO_LABEL).sum())
    if lacking:
        raise UserError(f"{flag}: {lacking} of {len(labels)} images of {data.label} {data.reference} have no label")
    return data.images(data.reference, settings.num, settings.seed)


# During training.

def unused(train, config, num, seed=0) -> tuple:
    """(uint8 images [n, height, width, channels], labels int64 [n]) of a split, whose labels a training does not use.

    At most `num` images, chosen by `seed`. Raises UserError if training uses all labels.
    """
    positions = _unused_positions(labelled.read_labels(train, config.dataset), train.class_names, config, num, seed)
    return pipeline.labelled_arrays(labelled.taken(train, positions, "unused"), config.image_shape, config.channels)


def _unused_positions(labels, class_names, config, num, seed):
    used = labelled.stratified(labels, config.num_labels, labelled.seed_of(config), class_names, config.dataset)
    free = np.setdiff1d(np.flatnonzero(labels != NO_LABEL), used)
    if not free.size:
        raise UserError(f"--metrics {ACCURACY}: training uses the labels of all {len(used)} images of train that have "
                        "one, so none are left to measure by; possible: a smaller --num-labels")
    keys = tf.random.stateless_uniform([free.size], fold(seed, "watched"), None, None, tf.int64).numpy()
    return np.sort(free[np.argsort(keys, kind="stable")[:num]])
