"""What a classifier trained on the real images reads in samples: the class that was asked for, and all classes?"""
import functools
import os

import numpy as np
import tensorflow as tf

from tf2gan import generation, session
from tf2gan.data import load, pipeline
from tf2gan.metrics.classifier import classifier_for, label_agreement

BATCH = 250
SURE = 0.9  # probability from which on a reading counts as sure


def evaluate_classes(gan, record, data_dir=None, num=None, show_progress=False) -> dict:
    """For a conditional method `label_agreement` of `num` samples of each class, for others how classes are covered.

    Args:
        gan, record: of a method that makes images from noise, trained on data with labels, from `session.load_gan`.
        data_dir: where tensorflow-datasets keeps its data; None is as in training.
        num: samples of each class (default 100), or without classes in all (default 1000).

    Returns:
        {"protocol": {...}, "trained": {...}, "untrained": {...}, "real_test": {...}, "table": text}; the last three
        are the figures of the averaged generator's samples, of the initial weights of the same seed, and of the real
        test images, which no generator can be expected to surpass.
    """
    config, num_classes = gan.config, len(gan.class_names)
    num = num or (1000 if gan.num_classes is None else 100)
    splits = load.load(config.dataset, ("train", "test"), data_dir or record["options"].get("data_dir"),
                       record["options"].get("skip_unreadable", False))
    session.check_same_data(config.dataset, record, splits)
    train, test = (functools.lru_cache(maxsize=None)(
        functools.partial(pipeline.labelled_arrays, splits[name], config.image_shape, config.channels))
        for name in ("train", "test"))
    dataset = os.path.basename(config.dataset) if os.path.isabs(config.dataset) else config.dataset
    reader = classifier_for(train, test, num_classes, gan.image_shape, {
        "dataset": dataset, "train": splits["train"].fingerprint, "test": splits["test"].fingerprint,
        "resize": "bilinear, antialiased, middle crop"}, show_progress=show_progress)
    tf.keras.utils.set_random_seed(config.seed)
    networks = {"trained": gan, "untrained": type(gan)(config, gan.total_images)}
    real_images, real_labels = test()
    if gan.num_classes is None:
        figures = {name: _coverage(reader, _samples(network, num)) for name, network in networks.items()}
        figures["real_test"] = _coverage(reader, real_images)
        for part in figures.values():
            part["distance"] = 0.5 * float(np.abs(np.subtract(part["shares"], figures["real_test"]["shares"])).sum())
    else:
        asked = np.repeat(np.arange(num_classes), num)
        figures = {name: label_agreement(asked, reader.predict(_samples(network, len(asked), asked)), num_classes)
                   for name, network in networks.items()}
        figures["real_test"] = label_agreement(real_labels, reader.predict(real_images), num_classes)
    result = {"protocol": {
        "metric": "class coverage" if gan.num_classes is None else "label agreement", "dataset": dataset,
        "image_size": config.image_size, "reader": reader.name, "reader_accuracy": reader.accuracy,
        "reader_hash": reader.hash, "num" if gan.num_classes is None else "num_per_class": num, "seed": config.seed,
        "weights": "raw" if config.ema_decay is None else "averaged",
        "images_seen": int(gan.images_seen.numpy()), "num_test": len(real_labels)}, **figures}
    return {**result, "table": _table(result, gan.class_names)}


def _samples(gan, num, labels=None):
    sampler = generation.Sampler.from_gan(gan)
    return sampler.images(sampler.latents(num, gan.config.seed), labels, BATCH)


def _coverage(reader, pictures):
    probabilities = reader.probabilities(pictures)
    num_classes = probabilities.shape[-1]
    return {"shares": (np.bincount(probabilities.argmax(-1), minlength=num_classes) / len(pictures)).tolist(),
            "sure": float((probabilities.max(-1) >= SURE).mean())}


def _table(result, class_names):
    columns = [result[name] for name in ("trained", "untrained", "real_test")]
    if "shares" in columns[0]:
        title = "share of samples"
        rows = [*zip(class_names, *(column["shares"] for column in columns)),
                ("distance of shares", *(column["distance"] for column in columns)),
                (f"read with p >= {SURE}", *(column["sure"] for column in columns))]
    else:
        title = "read as asked"
        rows = [*zip(class_names, *(column["per_class"] for column in columns)),
                ("all classes", *(column["overall"] for column in columns))]
    width = max(len(title), *(len(name) for name, *_ in rows))
    lines = [f"{title:{width}} {'trained':>9} {'untrained':>9} {'real test':>9}"]
    for name, *values in rows:
        lines.append(" ".join([f"{name:{width}}", *("        -" if v is None else f"{v:9.2%}" for v in values)]))
    return "\n".join(lines)
