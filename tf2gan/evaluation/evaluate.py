"""Evaluates runs, exports and folders of images: metrics with their protocol, each beside its baselines."""
from tf2gan.core.errors import UserError
from tf2gan.evaluation import classified, generated, translated
from tf2gan.evaluation.comparison import Settings
from tf2gan.models import generation
from tf2gan.runs.record import check_outside_data
from tf2gan.runs.restore import load_gan


def evaluate_run(path, settings=Settings(), against=None, split=None, data_dir=None, checkpoint="latest",
                 weights="averaged", nearest=None, own=None) -> dict:
    """The record of an evaluation of a run (see `results.record`).

    Args:
        against: data set to compare with; None: that of the run.
        split: of this data set (None: test, else validation, else train). Translations are evaluated on testA and
            testB, and accuracy on train only on request.
        checkpoint, weights: see `runs.restore.load_gan`.
        nearest: folder for pictures of samples beside their nearest training images; None: these are not searched.
        own: the user's own networks of the training, as `load_gan` takes them.

    Raises UserError for a run that cannot be loaded and for metrics that are not available.
    """
    if nearest is not None:
        check_outside_data(path, nearest, "--nearest")
    gan, record = load_gan(path, checkpoint, weights, own)
    if gan.abilities.translates:
        _neither(split, nearest)
        return translated.of_run(gan, record, settings, against, data_dir)
    accuracy, settings_of_generator = _parted(settings, gan.abilities.classifies, nearest)
    data = generated.data_of_run(gan, record, against, split, data_dir)
    return _merged(accuracy and classified.of_run(gan, record, settings, data, split),
                   settings_of_generator and generated.of_run(gan, record, settings_of_generator, data, nearest))


def evaluate_savedmodel(path, settings=Settings(), against=None, split=None, data_dir=None, nearest=None) -> dict:
    """The record of an evaluation of an export; arguments as for `evaluate_run`."""
    card = generation.card_of_savedmodel(path)
    can = generation.abilities_of_card(card)
    if can.translates:
        _neither(split, nearest)
        return translated.of_savedmodel(path, card, settings, against, data_dir)
    accuracy, settings_of_generator = _parted(settings, can.classifies, nearest)
    data = generated.data_of_savedmodel(path, card, against, split, data_dir)
    return _merged(accuracy and classified.of_savedmodel(path, card, settings, data, split),
                   settings_of_generator and generated.of_savedmodel(path, card, settings_of_generator, data, nearest))


evaluate_images = generated.of_images


def _neither(split, nearest):
    if split is not None:
        raise UserError("--split: translations are measured on testA and testB")
    if nearest is not None:
        raise UserError("--nearest: is for images made from latents, and folders of images; these are translations")


def _parted(settings, classifies, nearest):
    parts = classified.parted(settings, classifies)
    if parts[1] is None and nearest is not None:
        raise UserError("--nearest: is for generated images, of which nothing is measured here; possible: --metrics "
                        "accuracy,fid or others")
    return parts


def _merged(accuracy, generator):
    """One record from two, one of which may be missing."""
    return classified.merged(accuracy, generator) if accuracy and generator else accuracy or generator
