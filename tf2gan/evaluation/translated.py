"""Evaluates image-to-image translation, by a run or an export: each direction on the test split."""
import dataclasses

import numpy as np
import tensorflow as tf

from tf2gan.core import savedmodel
from tf2gan.core.colors import grey
from tf2gan.core.errors import UserError
from tf2gan.data import load, pairs, pipeline
from tf2gan.evaluation import comparison, extractors, generated, image_sets, results
from tf2gan.gans import GANS
from tf2gan.metrics import imagenet, perceptual, registry, similarity
from tf2gan.metrics.translation import ColorHistogram, absolute_errors, lab_errors, mean_absolute_error
from tf2gan.models import translation
from tf2gan.runs.record import check_same_data, from_record, title_of

WAYS = (("a2b", "b2a", "A", "B"), ("b2a", "a2b", "B", "A"))  # direction, back, source, target
DEFAULT = ("fid", "kid")
RESIZE = "bilinear, antialiased, middle crop"
BATCH = 8  # images translated at once
# Of images uint8 [n, height, width, 3] and their targets: a value for each pair.
PAIR_MEASURES = {"l1": lambda made, targets: absolute_errors(made, targets) / 255, "psnr": similarity.psnr,
                 "ssim": similarity.ssim, perceptual.NAME: perceptual.distances}
# All metrics but the one that needs classes in the data.
POSSIBLE = tuple(name for name in registry.METRICS if name != "classes")


@dataclasses.dataclass(frozen=True)
class Data:
    """Images of A and B: `label` for names, `splits` trainA, trainB, testA, testB, and `size`, (height, width).

    `colors`: A is B without its colours.
    """

    label: str
    splits: dict
    size: tuple
    colors: bool = False

    def images(self, split, num=None, seed=None) -> image_sets.ImageSet:
        """`num` images of a split (None: all): the first ones, or those that `seed` chooses."""
        chosen, shape = self.splits[split], (*self.size, 3)
        num = min(num or chosen.num_examples, chosen.num_examples)

        def batches():
            if seed is None:
                examples = pipeline.undisturbed(chosen, self.size, num).map(
                    lambda image: {"images": tf.cast(tf.round((image + 1.0) * 127.5), tf.uint8)})
            else:
                examples = pipeline.drawn(chosen, shape, num, seed)
            for batch in examples.batch(image_sets.batch_size(shape)).as_numpy_iterator():
                yield batch["images"], None

        key = {"dataset": self.label, "split": split, "data": chosen.version, "num": num, "seed": seed,
               "image_shape": list(shape), "resize": RESIZE}
        return image_sets.ImageSet(f"{self.label} {split}", num, shape, batches, key if chosen.version else None)

    def paired(self, kind):
        """Whether image i of A and image i of B are a pair: files of both folders have the same names."""
        names = [self.splits[f"{kind}{domain}"].names for domain in "AB"]
        return bool(names[0]) and names[0] == names[1]


class Translation:
    """Translates source images in one direction of a model, and measures errors and colours in the same pass.

    After a pass, `errors` is {metric: value}. If the model translates back, too: `cycle_l1` and `identity_l1`, mean
    absolute differences, 0 to 1 (Zhu et al. 2017, eq. 2 and sec. 5.2). For pairs, what `pair_errors` gives. `colors` is
    the histogram of the translations.

    A model with styles translates image i in style i of a seed. It has no `identity_l1`; its cycle comes back with the
    styles that are found on the way (Almahairi et al. 2018, sec. 3). `style_cycle_l1` is the mean absolute difference
    of the styles that are found in the translations and those given; `diversity_l1` and `diversity_perceptual` are mean
    distances of two translations of an image, the second in a style of the next seed.
    """

    def __init__(self, functions, there, back, source, targets=None, measures=PAIR_MEASURES, seed=0):
        """`functions`: as `models.translation.every_function` returns them; `targets`: the ImageSet paired with
        `source`; `seed`: of the styles."""
        self._functions, self._there, self._back, self._source = functions, there, back, source
        self._targets, self._measures = targets, measures
        self._styles = [translation.styles_of(functions, source.num, each) for each in (seed, seed + 1)]
        self.errors, self.colors = {}, None

    def image_set(self, name) -> image_sets.ImageSet:
        return image_sets.ImageSet(name, self._source.num, self._source.image_shape, self._batches)

    def _batches(self):
        sums, count, self.colors = {}, 0, ColorHistogram()
        targets = self._targets.batches() if self._targets else None
        for images, _ in self._source.batches():
            made = []
            for start in range(0, len(images), BATCH):
                real = images[start:start + BATCH]
                if self._styles[0] is None:
                    translated, errors = self._plain(real)
                else:
                    translated, errors = self._styled(real, count + start)
                _add(sums, {name: len(real) * value for name, value in errors.items()})
                self.colors.add(2.0 * translated - 1.0)
                made.append(_pixels(translated))
            made = np.concatenate(made)
            if targets:
                matching = next(targets)[0][:len(images)]  # there may be more targets
                _add(sums, pair_errors(made, matching, self._measures))
            count += len(images)
            yield made, None
        self.errors = {name: total / count for name, total in sums.items()}

    def _run(self, name, **inputs):
        return next(iter(self._functions[name](**inputs).values())).numpy()

    def _plain(self, pixels):
        """(translations, {metric: mean over them}) of uint8 images."""
        real = pixels.astype(np.float32) / 255.0
        translated = self._run(self._there, images=real)
        if self._back not in self._functions:
            return translated, {}
        return translated, {
            "cycle_l1": mean_absolute_error(self._run(self._back, images=translated), real, span=1.0),
            "identity_l1": mean_absolute_error(self._run(self._back, images=real), real, span=1.0)}

    def _styled(self, pixels, first):
        """As `_plain`; `first`: how many images came before."""
        real = pixels.astype(np.float32) / 255.0
        styles, others = (each[first:first + len(real)] for each in self._styles)
        translated, other = (self._run(f"{self._there}_styled", images=real, styles=each) for each in (styles, others))
        own = self._run(f"{self._back}_style_of", images=real, partners=translated)
        back = self._run(f"{self._back}_styled", images=translated, styles=own)
        again = self._run(f"{self._there}_style_of", images=translated, partners=real)
        return translated, {"cycle_l1": mean_absolute_error(back, real, span=1.0),
                            "style_cycle_l1": mean_absolute_error(again, styles, span=1.0),
                            **{name: values.mean()
                               for name, values in _apart(_pixels(translated), _pixels(other)).items()}}


def _pixels(floats):
    return np.rint(255.0 * floats).astype(np.uint8)


def _apart(images, others) -> dict:
    """{metric: a value for each pair} of images uint8 [n, height, width, 3]: how far they are apart."""
    return {"diversity_l1": absolute_errors(images, others) / 255,
            "diversity_perceptual": perceptual.distances(images, others)}


def spread(images) -> dict:
    """{metric: mean over the pairs of successive images} of an ImageSet, as `Translation` measures two translations."""
    sums, last, count = {}, None, 0
    for batch, _ in images.batches():
        batch = batch if last is None else np.concatenate([last, batch])
        if len(batch) > 1:
            _add(sums, {name: float(values.sum()) for name, values in _apart(batch[:-1], batch[1:]).items()})
        count, last = count + len(batch) - 1, batch[-1:]
    return {name: total / count for name, total in sums.items()}


def pair_errors(made, targets, measures=PAIR_MEASURES) -> dict:
    """{metric: sum over the pairs} of images uint8 [n, height, width, 3] and their targets."""
    return {name: float(function(made, targets).sum()) for name, function in measures.items()}


def measures_of(data) -> dict:
    """{metric: function of two batches of images to a value for each pair} that apply to pairs of `data`."""
    return {**PAIR_MEASURES, "lab_l1": lab_errors} if data.colors else PAIR_MEASURES


def baseline_errors(data, source, source_domain, target_domain) -> dict:
    """{column: {metric: value}} for pairs: of the inputs as they are, and of the mean of the training targets.

    For colours, also of the inputs with the mean colour of the training targets, at the lightness that they have.
    """
    total, train, measures = 0.0, data.images(f"train{target_domain}"), measures_of(data)
    for batch, _ in train.batches():
        total = total + batch.sum(axis=0, dtype=np.float64)
    mean = total / train.num
    tint = mean.mean(axis=(0, 1)) - grey(tf.constant(mean)).numpy().mean(axis=(0, 1))
    sums, target = {}, data.images(f"test{target_domain}", source.num)
    for (inputs, _), (targets, _) in zip(source.batches(), target.batches()):
        guesses = {"input": inputs, "mean_target": np.broadcast_to(np.rint(mean).astype(np.uint8), targets.shape)}
        if data.colors:
            guesses["mean_color"] = np.rint(np.clip(inputs + tint, 0, 255)).astype(np.uint8)
        for column, images in guesses.items():
            _add(sums.setdefault(column, {}), pair_errors(images, targets, measures))
    return {column: {name: value / source.num for name, value in of.items()} for column, of in sums.items()}


def _add(sums, more):
    for name, value in more.items():
        sums[name] = sums.get(name, 0.0) + value


def of_run(gan, record, settings, against=None, data_dir=None) -> dict:
    """The record of an evaluation of a GAN from `runs.restore.load_gan`, on its own data or on `against`."""
    options = record["options"]
    data = load_data(against or gan.config.dataset, gan.config.image_shape, record,
                     data_dir or options.get("data_dir"), options.get("skip_unreadable", False))
    if against is None:
        check_same_data(gan.config.dataset, record, data.splits)
    return _of_models({"model": translation.every_function(gan), "untrained": _untrained(type(gan), gan.config)}, data,
                      settings, {"source": f"run of {title_of(record)}",
                                 "images_seen": int(gan.images_seen.numpy())}, record["weights"])


def of_savedmodel(path, card, settings, against=None, data_dir=None) -> dict:
    """The record of an evaluation of an export with the model card `card`, on the card's data or on `against`."""
    data = load_data(against or card["data"], tuple(card["image_size"]), card, data_dir)
    loaded = savedmodel.load(path, card["directions"])  # kept: its signatures do not keep their variables alive
    models = {"model": loaded.signatures}
    protocol = {"source": f"export {card['name']}, version {card['version']}", "images_seen": card["images_seen"]}
    try:
        models["untrained"] = _untrained(*from_record(card))
    except UserError as error:  # options of the method may have changed since the export
        protocol["untrained"] = f"not to be had: {error}"
    return _of_models(models, data, settings, protocol,
                      "raw" if card["config"].get("ema_decay") is None else "averaged")


def load_data(dataset, size, record, data_dir=None, skip_unreadable=False) -> Data:
    """Loads all four splits, as the model needs them. Raises UserError if they are not available.

    `record`: config.json of a run, or a model card: has "model" and "config".
    """
    if record["model"] in GANS and GANS.numbers(record["model"]).Config.paired:
        recipe = pairs.Recipe(*(record["config"].get(name) for name in ("input_from", "pair_features")))
        splits, colors = pairs.load_pairs(dataset, recipe, data_dir, skip_unreadable), recipe.input_from == "grey"
    else:
        splits, colors = load.load(dataset, pairs.SPLITS, data_dir, skip_unreadable), False
    return Data(image_sets.label_of(dataset), splits, tuple(size), colors)


def ways(directions) -> list:
    """Those of WAYS that a model has."""
    return [way for way in WAYS if way[0] in directions]


def _untrained(gan_class, config):
    return translation.every_function(generated.new_gan(gan_class, config))


def chosen(settings, size):
    """The names of the metrics. Raises UserError for one that does not apply to translations."""
    if settings.metrics is None:
        return DEFAULT
    names = registry.parse(settings.metrics)
    if "classes" in names:
        raise UserError(f"--metrics classes: translations have none; possible: {','.join(POSSIBLE)}")
    registry.check_size(names, size)
    return names


def _of_models(models, data, settings, protocol, weights):
    """`models`: {column: functions of `models.translation.every_function`}."""
    names, extractor = how(data, settings)
    found, num = [], {}
    for there, back, source_domain, target_domain in ways(models["model"]):
        source, target = data.images(f"test{source_domain}", settings.num), data.images(f"test{target_domain}")
        floor = data.images(f"train{target_domain}", source.num, settings.seed)
        paired = data.paired("test")
        passes = {column: Translation(functions, there, back, source, target if paired else None, measures_of(data),
                                      settings.seed)
                  for column, functions in models.items()}
        sets = {column: one.image_set(f"{there}, {results.COLUMNS[column]}") for column, one in passes.items()}
        sets.update(input=source, real_train=floor)
        reference = reference_of(target, sets, extractor, settings, names)
        found += figures_of_direction(there, sets, reference, extractor, settings, names, weights,
                                      f"{data.label}-test{target_domain}")
        errors = baseline_errors(data, source, source_domain, target_domain) if paired else {}
        errors.update({column: one.errors for column, one in passes.items()})
        if "styles" in models["model"]:
            errors["real_train"] = spread(floor)
        found += _errors_and_colors(there, sets, target, passes, errors, weights, f"{data.label}-test{target_domain}")
        num[there] = {"source": source.num, "target": target.num, "floor": floor.num}
    return results.record({
        **protocol, "dataset": data.label, "split": "test", "num": num, "floor": "train",
        "image_shape": [*data.size, 3], "resize": RESIZE, "seed": settings.seed, "weights": weights,
        "extractor": comparison.extractor_record(extractor),
        "color_distance": "total variation of joint RGB histograms, 8 bins a channel",
        **({perceptual.NAME: perceptual.INFO} if data.paired("test") or "styles" in models["model"] else {}),
        **registry.parameters(names, *(min(side["target"] for side in num.values()),
                                       min(side["source"] for side in num.values())))}, found)


def how(data, settings):
    """(names of the metrics, the extractor or None) for unpaired data."""
    names = chosen(settings, data.size)
    if not registry.needs_extractor(names):
        return names, None
    return names, extractors.of_domains(settings.spec(data.size), data.splits, data.label, data.size,
                                        settings.show_progress)


def reference_of(target, sets, extractor, settings, names):
    """The observed arrays of a direction's real images. Raises UserError if they, or one of `sets`, are too few."""
    for images in (target, *sets.values()):
        registry.check_num(names, images.num, images.name)
    return comparison.observed(target, names, extractor, settings)


def figures_of_direction(there, sets, reference, extractor, settings, names, weights, against):
    """Entries of the metrics `names` for `sets`, {column: ImageSet}, compared with what `reference_of` returned."""
    arrays = ((column, comparison.observed(images, names, extractor, settings)) for column, images in sets.items())
    num = sets["model"].num

    def name(metric, reads):
        return results.figure_name(f"{metric}_{there}", num, against, comparison.reader(extractor, reads), weights)

    return results.entries(names, reference, arrays, name, settings.seed, suffix=f"_{there}")


def _errors_and_colors(there, sets, target, passes, errors, weights, against):
    """Entries of `errors`, {column: {metric: value}}, and of colours.

    `passes`: {column: Translation}; their image sets must have been read before.
    """
    def entry(metric, values):
        extractor = imagenet.made() if metric in (perceptual.NAME, "diversity_perceptual") else None
        metric = f"{metric}_{there}"
        return results.entry(metric, results.figure_name(metric, sets["model"].num, against, extractor, weights),
                             {column: (value, None) for column, value in values.items()})

    metrics = sorted({metric for of in errors.values() for metric in of})
    found = [entry(metric, {column: of[metric] for column, of in errors.items() if metric in of}) for metric in metrics]
    colors = {column: _colors(sets[column]) for column in sets if column not in passes}
    colors.update({column: one.colors for column, one in passes.items()})
    real = _colors(target)
    return [*found, entry("color_distance", {column: histogram.distance(real) for column, histogram in colors.items()})]


def _colors(images):
    histogram = ColorHistogram()
    for batch, _ in images.batches():
        histogram.add(batch / 127.5 - 1.0)
    return histogram
