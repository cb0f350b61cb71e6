"""Metrics during training.

They compare with training images, so that choosing a checkpoint by them does not bias metrics on the test split.
"""
import contextlib
import dataclasses
import re

from tf2gan.core.errors import UserError
from tf2gan.data import held_out
from tf2gan.evaluation import by_heart, classified, comparison, extractors, generated, image_sets, results, translated
from tf2gan.metrics import registry, statistics
from tf2gan.metrics.values import Figure
from tf2gan.models import generation, translation


def check(gan_class, config, options) -> tuple:
    """The short names of the metrics of the model in a training with these options, before data are loaded.

    Raises UserError for metrics that do not apply to this kind of method, and for an unavailable extractor.
    """
    if config.adapts:
        raise UserError(f"--evaluate-every {options.evaluate_every}: the labels of the target are not for choosing by; "
                        "possible: 0, and tools/evaluate.py at the end")
    with _own_flags():
        return _names(gan_class.abilities_for(config), _settings(options))


def check_data(gan_class, config, options, class_names):
    """Raises UserError if a classifier should judge in training, and the data have no labels for it; before any work.

    `config`: fitted to the data; `class_names`: of the data, or None.
    """
    abilities, settings = gan_class.abilities_for(config), _settings(options)
    if abilities.translates or abilities.classifies or class_names is not None:
        return
    shape = (*config.image_shape, config.channels)
    with _own_flags():
        names = comparison.chosen(settings, shape, labelled=False)
        if settings.spec(shape) == "classifier" and not set(names) <= set(registry.WITHOUT_EXTRACTOR):
            raise extractors.no_labels(image_sets.label_of(config.dataset), config.channels)


def _names(abilities, settings):
    large = (1024, 1024)  # the size is not known yet
    if abilities.translates:
        names = translated.chosen(settings, large)
        extractors.check(settings.spec(large), names)
        gives = [figure for name in names for figure in registry.METRICS[name].gives]
        return tuple(gives + [f"{figure}_{there}" for figure in gives for there in abilities.directions])
    accuracy, settings = classified.parted(settings, abilities.classifies)
    gives = (registry.ACCURACY,) if accuracy else ()
    if settings is None:
        return gives
    names = comparison.chosen(settings, large)
    extractors.check(settings.spec(large), names)
    return gives + tuple(figure for name in names for figure in registry.METRICS[name].gives)


def make(gan, splits, record, options, show_progress=False):
    """A function from the GAN to its `Figure`s. The real images are read here, once.

    Args:
        gan: the GAN in training; it generates with its averaged weights.
        splits: {name: Split} of the training.
        record: the run's config.json, for the name of the data.
        options: `training.options.Options`.

    Raises UserError for metrics that are not available for these data.
    """
    settings = _settings(options, show_progress)
    with _own_flags():
        if gan.abilities.translates:
            return _translations(gan, splits, settings)
        accuracy, settings = classified.parted(settings, gan.abilities.classifies)
        watches = [_accuracies(gan, splits["train"], options.evaluate_num)] if accuracy else []
        if settings is not None:
            watches += _generated(gan, splits, options, settings)
        return lambda gan: [figure for watch in watches for figure in watch(gan)]


def at_end(gan, path) -> list:
    """Lines to print when a run's training has ended: the accuracies of a GAN that classifies."""
    return classified.of_finished_run(path) if gan.abilities.classifies else []


def _accuracies(gan, train, num):
    """`accuracy`, and `accuracy_baseline` if that is trained, on training images whose labels training does not use.

    The test split stays unused. But this takes labels that a real application may not have: there, a part of the few
    labelled images would have to be held out. The images themselves are among the unlabelled ones that the GAN learns
    from. The network that learns from all labels has seen their labels, and is left out.
    """
    images, labels = classified.unused(train, gan.config, num)
    against = f"{image_sets.label_of(gan.config.dataset)}-train-unlabelled"
    figures = {}  # {short name: (name, function)}
    for which in gan.classifiers.keys() - {"fully_supervised"}:
        metric = registry.ACCURACY if which == "model" else f"{registry.ACCURACY}_{which}"
        name = results.figure_name(metric, len(labels), against, weights=classified.weights_of(
            dataclasses.asdict(gan.config), generated.weights_of(gan)))
        figures[metric] = name, classified.reader(gan, which)

    def watch(gan):
        return [Figure(metric, name, classified.accuracy(read, images, labels))
                for metric, (name, read) in sorted(figures.items())]

    return watch


def _generated(gan, splits, options, settings):
    """[a function from the GAN to its Figures]: those that were asked for, and what is learned by heart."""
    config = gan.config
    data = image_sets.load_real(config.dataset, generation.traits(gan).image_shape, options.data_dir,
                                options.skip_unreadable, "train")
    names, extractor = generated.how(data, settings)
    real = data.images("train", max(settings.num, registry.MOST_IMAGES), settings.seed)

    def fake():
        # A new sampler each time, because the graph of a growing GAN is that of its current level.
        return image_sets.generated(generation.Sampler.from_gan(gan), settings.num, settings.seed)

    for images in (real, fake()):
        registry.check_num(names, images.num, images.name)
    reference = comparison.observed(real, names, extractor, settings)
    quiet = dataclasses.replace(settings, show_progress=False)
    weights = generated.weights_of(gan)

    def name(figure, reads):
        return results.figure_name(figure, settings.num, f"{data.label}-train", comparison.reader(extractor, reads),
                                   weights)

    def watch(gan):
        arrays = comparison.observed(fake(), names, extractor, quiet)
        found = _figures(results.entries(names, reference, [("model", arrays)], name, settings.seed))
        if "features" in arrays and real.num > 1:
            value = statistics.authenticity(reference["features"], arrays["features"])
            found.append(Figure("authenticity", name("authenticity", "features"), value))
        return found

    apart = _kept_apart(splits, data, config)
    if apart is None:
        return [watch]
    return [watch, by_heart.watch(gan, apart, settings.num, f"{data.label}-train", weights)]


def _kept_apart(splits, data, config):
    """{"train", "held_out": ImageSet}: images that are learned from, and others; None if there are no others."""
    if "held_out" in splits:
        parts = {"train": splits["kept"], "held_out": splits["held_out"]}
    else:
        other = next((name for name in held_out.TESTS if name in data.splits), None)
        if other is None:
            return None
        parts = {"train": data.splits["train"], "held_out": data.splits[other]}
    apart = image_sets.RealData(config.dataset, parts, data.image_shape, "train")
    return {name: apart.images(name) for name in parts}


def _translations(gan, splits, settings):
    data = translated.Data(image_sets.label_of(gan.config.dataset), splits, tuple(gan.config.image_shape))
    names, extractor = translated.how(data, settings)
    functions, weights = translation.every_function(gan), generated.weights_of(gan)
    ways = []
    for there, _, source_domain, target_domain in translated.ways(gan.abilities.directions):
        source = data.images(f"train{source_domain}", settings.num, settings.seed)
        target = data.images(f"train{target_domain}", max(settings.num, registry.MOST_IMAGES), settings.seed)
        sets = {"model": image_sets.translated(functions, there, source, there, settings.seed)}
        reference = translated.reference_of(target, sets, extractor, settings, names)
        ways.append((there, sets, reference, f"{data.label}-train{target_domain}"))
    quiet = dataclasses.replace(settings, show_progress=False)

    def watch(gan):
        found = []
        for there, sets, reference, against in ways:
            found += translated.figures_of_direction(there, sets, reference, extractor, quiet, names, weights, against)
        figures = _figures(found)
        num = min(sets["model"].num for _, sets, _, _ in ways)
        for metric in dict.fromkeys(figure.metric.rsplit("_", 1)[0] for figure in figures):
            both = [figure for figure in figures if figure.metric.rsplit("_", 1)[0] == metric]
            reads = extractor is not None and extractor.name in both[0].name
            name = results.figure_name(metric, num, f"{data.label}-train", extractor if reads else None, weights)
            figures.append(Figure(metric, name, sum(figure.value for figure in both) / len(both)))
        return figures

    return watch


@contextlib.contextmanager
def _own_flags():
    """Replaces flags of tools/evaluate.py in messages by those of tools/train.py."""
    try:
        yield
    except UserError as error:
        raise UserError(re.sub(r"--(metrics|num)(?![\w-])", r"--evaluate-\1", str(error))) from error


def _figures(entries):
    return [Figure(entry["metric"], entry["name"], entry["values"]["model"], entry.get("deviations", {}).get("model"))
            for entry in entries]


def _settings(options, show_progress=False):
    return comparison.Settings(options.evaluate_metrics, options.extractor, options.evaluate_num, 0, show_progress)
