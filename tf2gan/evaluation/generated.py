"""Evaluates images generated from latents, by a run or an export, and the images of a folder."""
import os

import tensorflow as tf

from tf2gan.core import files
from tf2gan.core.errors import UserError
from tf2gan.data import memory
from tf2gan.evaluation import comparison, extractors, image_sets, neighbors, results
from tf2gan.metrics import registry
from tf2gan.models import classification, generation
from tf2gan.runs.record import check_same_data, from_record, title_of


def data_of_run(gan, record, against=None, split=None, data_dir=None) -> image_sets.RealData:
    """The real images for a GAN from `runs.restore.load_gan`, at its image shape.

    Args:
        against: data set to compare with; None: that of the run, which must not have changed.
        split: of this data set; None: the first that exists of test, validation, train.
    """
    options = record["options"]
    shape = generation.traits(gan).image_shape if gan.abilities.samples else classification.image_shape(gan)
    own = gan.config.target if gan.config.adapts else gan.config.dataset
    data = image_sets.load_real(against or own, shape,
                                data_dir or options.get("data_dir"), options.get("skip_unreadable", False), split,
                                gan.class_names)
    if against is None and not gan.config.adapts:
        check_same_data(gan.config.dataset, record, data.splits)
    return data


def of_run(gan, record, settings, data, nearest=None) -> dict:
    """The record of an evaluation of a GAN from `runs.restore.load_gan`, compared with `data_of_run`.

    `nearest`: folder for pictures of the nearest training images; None: these are not searched.
    """
    return _of_samplers(generation.Sampler.from_gan(gan), new_gan(type(gan), gan.config), data, settings,
                        source_of_run(gan, record), record["weights"], nearest)


def source_of_run(gan, record) -> dict:
    """What a protocol says about an evaluated run."""
    return {"source": f"run of {title_of(record)}", "images_seen": int(gan.images_seen.numpy())}


def source_of_savedmodel(card) -> dict:
    """The same for an export with the model card `card`."""
    return {"source": f"export {card['name']}, version {card['version']}", "images_seen": card["images_seen"]}


def data_of_savedmodel(path, card, against=None, split=None, data_dir=None) -> image_sets.RealData:
    """The real images for an export with the model card `card`, by default from the data set that the card names."""
    if "latent_size" in card:
        traits = generation.traits_of_savedmodel(path)
        shape, classes = traits.image_shape, traits.class_names
    else:
        shape, classes = tuple(card["image_shape"]), card["classes"]
    return image_sets.load_real(against or card.get("target") or card["data"], shape, data_dir, reference=split,
                                classes=classes)


def of_savedmodel(path, card, settings, data, nearest=None) -> dict:
    """The record of an evaluation of an export, compared with `data_of_savedmodel`."""
    try:
        gan_class, config = from_record(card)
        anchor, protocol = new_gan(gan_class, config), {}
    except UserError as error:  # options of the method may have changed since the export
        anchor, protocol = None, {"untrained": f"not to be had: {error}"}
    return _of_samplers(generation.Sampler.from_savedmodel(path), anchor, data, settings,
                        {**source_of_savedmodel(card), **protocol},
                        "raw" if card["config"].get("ema_decay") is None else "averaged", nearest)


def _of_samplers(sampler, untrained, data, settings, protocol, weights, nearest):
    """`untrained`: a GAN with its initial weights, or None."""
    names, extractor = how(data, settings)
    num = settings.num or min(data.splits[data.reference].num_examples, registry.MOST_IMAGES)
    columns = {"model": image_sets.generated(sampler, num, settings.seed, "samples")}
    if untrained is not None:
        columns["untrained"] = image_sets.generated(generation.Sampler.from_gan(untrained), num, settings.seed,
                                                    "samples of the untrained network")
    asked = "classes" in names and bool(sampler.class_names) and tuple(sampler.class_names) == tuple(data.class_names)
    result = comparison.compare(columns, data, extractor, settings, names, protocol, weights, asked)
    return _with_neighbors(result, nearest, columns["model"], data, extractor, settings)


def of_images(folder, against, settings, image_size=None, split=None, data_dir=None, skip_unreadable=False,
              nearest=None) -> dict:
    """The record of an evaluation of the images in a folder, compared with a data set or another folder.

    `image_size`: (height, width) to resize both to; None: the size of the data set's images, which must share one.
    """
    if not memory.is_name(folder) and not os.path.isdir(folder):
        raise UserError(f"--images {folder}: no such folder")
    for read in (folder, against) if nearest is not None else ():
        files.check_outside(nearest, read, "--nearest")
    data = image_sets.load_real(against, image_size, data_dir, skip_unreadable, split)
    names, extractor = how(data, settings)
    images = image_sets.folder_images(folder, data.image_shape, settings.num or registry.MOST_IMAGES, settings.seed,
                                      skip_unreadable)
    result = comparison.compare({"model": images}, data, extractor, settings, names,
                                {"source": f"folder {image_sets.label_of(folder)}"})
    return _with_neighbors(result, nearest, images, data, extractor, settings)


def _with_neighbors(result, folder, images, data, extractor, settings):
    if folder is None:
        return result
    result = {**result, "nearest": neighbors.write(folder, images, data, extractor, settings)}
    return {**result, "table": results.table(result)}


def how(data, settings):
    """(names of the metrics, the extractor or None) for data with or without classes."""
    names = comparison.chosen(settings, data.image_shape, data.class_names is not None)
    if not registry.needs_extractor(names):
        return names, None
    return names, extractors.of_classes(settings.spec(data.image_shape), data, names, settings.show_progress)


def weights_of(gan):
    """Which weights a GAN generates with."""
    return "averaged" if gan.averages else "raw"


def new_gan(gan_class, config):
    """A GAN with the initial weights of a configuration."""
    tf.keras.utils.set_random_seed(config.seed)
    return gan_class(config, 2 ** 40)  # some length of training, for learning rate schedules; it is never trained
