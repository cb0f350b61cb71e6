"""A run: `tf2gan.train` returns it, and `tf2gan.Run` opens one in a folder."""
import os
import pathlib

import numpy as np

from tf2gan.api.model import Model, load
from tf2gan.api.picture import Picture
from tf2gan.api.session import call_at_end, dataset_name, networks_given, started
from tf2gan.core import images
from tf2gan.core.errors import UserError
from tf2gan.core.options import typed
from tf2gan.evaluation import beside, results
from tf2gan.evaluation.comparison import Settings
from tf2gan.evaluation.evaluate import evaluate_run
from tf2gan.export import exporter, formats
from tf2gan.gans import GANS
from tf2gan.report import page
from tf2gan.runs.record import LENGTHS, check_outside_data
from tf2gan.runs.restore import load_gan
from tf2gan.runs.run_folder import Run as RunFolder
from tf2gan.training import request
from tf2gan.training.options import Options


class Evaluation(dict):
    """The record of an evaluation: a dict that prints as its table."""

    def value(self, metric, column="model"):
        """The value of a metric, such as "fid" or "kid_a2b". Raises KeyError if it was not measured."""
        for entry in self["figures"]:
            if entry["metric"] == metric:
                return entry["values"][column]
        raise KeyError(f"{metric}; measured: {', '.join(entry['metric'] for entry in self['figures'])}")

    def __str__(self):
        return self["table"]

    def _repr_html_(self):
        return f"<pre>{self['table']}</pre>"


class Run:
    """A run folder, and what can be done with it."""

    def __init__(self, path, generator=None, discriminator=None, outcome=None):
        """`path`: a run folder; `generator`, `discriminator`: the own networks that it was trained with, if any.

        Raises UserError if it is not a run.
        """
        self.path = pathlib.Path(os.path.expanduser(os.fspath(path)))
        self._networks = {"generator": generator, "discriminator": discriminator}
        self._loaded = None, None  # key and Model of what was loaded last
        self.outcome = outcome  # final message of the last session; None: none in this process
        RunFolder(self.path)

    @property
    def record(self) -> dict:
        """The contents of its config.json: model, preset, config, options, data, versions."""
        return RunFolder(self.path).record

    def metrics(self) -> list:
        """The lines that were logged, oldest first: dicts with step, images, seconds and each quantity by name."""
        return list(RunFolder(self.path).metrics())

    def grids(self) -> list:
        """The paths of its sample grids, oldest first; a file's name is the number of images seen."""
        return sorted((self.path / "samples").glob("[0-9]*.png"))

    def grid(self, images_seen=None) -> Picture:
        """A sample grid: the last one, or that after `images_seen` images. Raises UserError if there is none."""
        paths = self.grids()
        if images_seen is not None:
            paths = [path for path in paths if int(path.stem) == int(images_seen)]
        if not paths:
            if images_seen is None:
                raise UserError(f"{self.path}: no sample grid yet")
            there = ", ".join(str(int(path.stem)) for path in self.grids()[-5:]) or "none"
            raise UserError(f"{self.path}: no sample grid of {images_seen} images; the last ones: {there}")
        return Picture(images.read_image(paths[-1]))

    def model(self, checkpoint="latest", weights="averaged") -> Model:
        """The trained model; arguments as for `tf2gan.load`."""
        newest = RunFolder(self.path).newest()
        key = newest and newest.path, str(checkpoint), weights
        if key != self._loaded[0]:  # loading takes seconds
            self._loaded = key, load(self.path, checkpoint, weights, **self._networks)
        return self._loaded[1]

    def sample(self, num=16, seed=0, labels=None, truncation=None) -> np.ndarray:
        """`Model.sample` of the newest checkpoint."""
        return self.model().sample(num, seed, labels, truncation)

    def translate(self, pictures, direction="a2b", styles=None):
        """`Model.translate` of the newest checkpoint."""
        return self.model().translate(pictures, direction, styles)

    def styles(self, num, seed=0) -> np.ndarray:
        """`Model.styles` of the newest checkpoint."""
        return self.model().styles(num, seed)

    def style_of(self, picture, direction=None) -> np.ndarray:
        """`Model.style_of` of the newest checkpoint."""
        return self.model().style_of(picture, direction)

    def classify(self, pictures) -> dict:
        """`Model.classify` of the newest checkpoint."""
        return self.model().classify(pictures)

    def evaluate(self, metrics=None, extractor=None, num=None, seed=0, against=None, split=None, data_dir=None,
                 checkpoint="latest", weights="averaged", nearest=None, show_progress=False, add=False) -> Evaluation:
        """Evaluates the run, as tools/evaluate.py does; writes the result to evaluation.json in its folder.

        Args:
            metrics: comma-separated names, such as "fid,kid"; None: all that are quick.
            against: real images: a data set, a folder, or images in memory as `tf2gan.train` takes them; None: the
                training data set.
            others: as the flags of the same names of the tool.

        Raises UserError for what cannot be measured.
        """
        settings = Settings(metrics, extractor, num, seed, show_progress)
        settings.check()
        first = beside.last(self.path, str(checkpoint), weights) if add else None
        against = against if against is None or isinstance(against, str) else dataset_name(against)
        result = evaluate_run(self.path, settings, against, split, data_dir, str(checkpoint), weights, nearest,
                              networks_given(**self._networks))
        if first is not None:
            result = beside.joined(first, result)
        results.store(result, RunFolder(self.path).evaluation_file)
        return Evaluation(result)

    def export(self, output, version=None, checkpoint="latest", data_license=None, format="savedmodel", image_size=None,
               tflite_weights="float32") -> pathlib.Path:
        """Writes a SavedModel to OUTPUT/VERSION, and what else `format` lists, as tools/export.py does.

        `format` is "savedmodel", or with others after it: "savedmodel,onnx,tflite,web". `image_size` and
        `tflite_weights`: see `tf2gan.convert`. Returns the version's folder. Raises UserError.
        """
        names, options = formats.parsed(format, new=True), formats.Options(image_size, tflite_weights)
        formats.check(names, options)
        exporter.check_target(output, version)
        check_outside_data(self.path, output, "output")
        gan, record = load_gan(self.path, str(checkpoint), own=networks_given(**self._networks))
        folder = exporter.export(gan, output, version, {**record, "data_license": data_license})
        if names:
            formats.add(folder, names, options)
        return folder

    def report(self, output=None, overwrite=False) -> pathlib.Path:
        """Writes an HTML page about the run, by default report.html in its folder; returns its path."""
        return page.write(self.path, output, overwrite, networks_given(**self._networks))

    def resume(self, data=None, callbacks=(), generator=None, discriminator=None, **options) -> "Run":
        """Resumes training, to the planned end or to another; returns the run itself.

        Args:
            data: the images of the run, if they were given as arrays in another process.
            callbacks: as for `tf2gan.train`.
            generator, discriminator: the own networks of the run, if this Run was opened without them.
            options: `steps`, `images` or `epochs`, totals and not increments, and what else a resume may change.

        Raises UserError for invalid input, Failure if training fails.
        """
        networks = {role: given if given is not None else self._networks[role]
                    for role, given in (("generator", generator), ("discriminator", discriminator))}
        folder = RunFolder(self.path)
        if data is not None:
            name = dataset_name(data, folder.record["model"], folder.record["config"])
            if name != folder.record["config"]["dataset"]:
                raise UserError(f"{self.path}: the data have changed: the run began with "
                                f"{folder.record['config']['dataset']}, these are {name}")
        model, preset = request.method_and_preset(None, None, folder)
        config_class = GANS.numbers(model).Config
        given = typed([config_class, Options], options)
        of_run = {**folder.record["config"], **folder.record["options"]}
        del of_run["run_dir"]  # the run stays in its folder
        if any(given.get(name) is not None for name in LENGTHS):
            of_run.update(dict.fromkeys(LENGTHS))
        values = {**typed([config_class, Options], of_run), **given}
        config, run_options = request.defaults(model, preset, values)
        wanted = request.made(model, preset, config, run_options, folder,
                              [name for name in LENGTHS if given.get(name) is not None])
        told = ", ".join(f"{name}={value!r}" for name, value in given.items())
        self.outcome = started(wanted, networks, f"tf2gan.Run({str(self.path)!r}).resume({told})", callbacks).message
        self._networks = networks
        call_at_end(callbacks, self)
        return self

    def __repr__(self):
        return f"<Run {self.path}>"
