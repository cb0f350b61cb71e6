"""Figures of a trained run with their protocol, each beside what an untrained network and the data itself give."""
import os

import numpy as np
import tensorflow as tf
import tqdm

from tf2gan import session
from tf2gan.class_evaluation import evaluate_classes
from tf2gan.data import load, pipeline
from tf2gan.errors import UserError
from tf2gan.metrics.translation import ColorHistogram, mean_absolute_error

BATCH = 8


def evaluate(run_dir, data_dir=None, num=None, show_progress=False) -> dict:
    """The figures of the run in this folder: what `evaluate_translation` or `evaluate_classes` returns, by its method.

    Raises UserError for a run that neither can measure.
    """
    gan, record = session.load_gan(run_dir)
    if hasattr(gan, "directions"):
        return evaluate_translation(gan, record, data_dir, num, show_progress)
    if gan.class_names is None:
        raise UserError(f"{run_dir}: its data have no labels, by which samples could be measured")
    return evaluate_classes(gan, record, data_dir, num, show_progress)


def evaluate_translation(gan, record, data_dir=None, num=None, show_progress=False) -> dict:
    """Cycle and identity error and colour distance of both directions on the test splits.

    Args:
        gan, record: of a translation method, from `session.load_gan`.
        num: images of each test split; None is all.

    Returns:
        {"protocol": {...}, "a2b": {...}, "b2a": {...}}. In each direction `cycle_l1` and `identity_l1` (0 to 1),
        `color_distance` (0 to 1) of the translated images to real ones of the target, and as anchors the same of the
        `untrained` networks (initial weights of the same seed), of the `input` itself, and of real training images of
        the target (`real_train`: the floor).
    """
    config = gan.config
    splits = load.load(config.dataset, gan.splits, data_dir or record["options"].get("data_dir"),
                       record["options"].get("skip_unreadable", False))
    tf.keras.utils.set_random_seed(config.seed)
    untrained = type(gan)(config, gan.total_images)
    batches = {name: pipeline.undisturbed(split, config.image_shape, num).batch(BATCH)
               for name, split in splits.items()}
    histograms = {name: _histogram(images) for name, images in batches.items()}
    result = {"protocol": {
        "dataset": os.path.basename(config.dataset) if os.path.isabs(config.dataset) else config.dataset,
        "image_size": config.image_size,
        "resize": "bilinear, antialiased, middle crop", "weights": "raw" if config.ema_decay is None else "averaged",
        "images_seen": int(gan.images_seen.numpy()),
        "color_distance": "total variation of joint RGB histograms, 8 bins a channel",
        "num": {name: min(num or split.num_examples, split.num_examples) for name, split in splits.items()
                if name.startswith("test")}}}
    for there, back, source, target in (("a2b", "b2a", "A", "B"), ("b2a", "a2b", "B", "A")):
        real = histograms[f"test{target}"]
        figures = {"color_distance": {"input": histograms[f"test{source}"].distance(real),
                                      "real_train": histograms[f"train{target}"].distance(real)}}
        for name, network in (("trained", gan), ("untrained", untrained)):
            measured = _measure(network, batches[f"test{source}"], there, back, show_progress)
            figures["color_distance"][name] = measured.pop("histogram").distance(real)
            for key, value in measured.items():
                figures.setdefault(key, {})[name] = value
        result[there] = figures
    return result


def _histogram(batches):
    histogram = ColorHistogram()
    for images in batches:
        histogram.add(images.numpy())
    return histogram


def _measure(gan, batches, there, back, show_progress):
    @tf.function(input_signature=[batches.element_spec])  # the last batch is smaller
    def translate(images):
        translated = gan.generate(images, there)
        return translated, gan.generate(translated, back), gan.generate(images, back)

    sums, count, histogram = np.zeros(2), 0, ColorHistogram()
    for images in tqdm.tqdm(batches, desc=there, unit="batch", disable=not show_progress):
        translated, cycled, same = (tensor.numpy() for tensor in translate(images))
        images = images.numpy()
        sums += np.array([mean_absolute_error(cycled, images), mean_absolute_error(same, images)]) * len(images)
        count += len(images)
        histogram.add(translated)
    return {"cycle_l1": sums[0] / count, "identity_l1": sums[1] / count, "histogram": histogram}


def table(result: dict) -> str:
    """The figures as text."""
    if "table" in result:
        return result["table"]
    lines = [f"{'':4} {'':15} {'trained':>9} {'untrained':>9} {'input':>9} {'real train':>10}"]
    for direction in ("a2b", "b2a"):
        for name, values in sorted(result[direction].items()):
            cells = [f"{values[key]:{width}.4f}" if key in values else " " * width
                     for key, width in (("trained", 9), ("untrained", 9), ("input", 9), ("real_train", 10))]
            lines.append(f"{direction:4} {name:15} {' '.join(cells)}".rstrip())
    return "\n".join(lines)
