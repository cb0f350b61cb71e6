"""Training from Python."""
import dataclasses

from tf2gan.api.run import Run
from tf2gan.api.session import call_at_end, dataset_name, networks_given, started
from tf2gan.core.errors import UserError, flag
from tf2gan.core.options import typed
from tf2gan.evaluation import during_training
from tf2gan.gans import GANS
from tf2gan.runs.record import LENGTHS
from tf2gan.training import job, request
from tf2gan.training.options import Options


def train(model, data=None, preset=None, generator=None, discriminator=None, callbacks=(), **options) -> Run:
    """Trains a GAN; returns its Run.

    Args:
        model: a method, or one of its presets: "dcgan", "cgan", "cyclegan", "gan-deep" ...
        data: a data set by name ("mnist", "synthetic_digits"), a folder of images, or images in memory: a numpy array
            [n, height, width, 1 or 3], uint8 or floats from 0 to 1; (images, labels); a finite tf.data.Dataset of
            either; {"train": ..., "test": ...} of any of these; for a method that translates, (images of A, images of
            B) or {"trainA", "trainB", "testA", "testB"}, which pix2pix takes as pairs; it also takes a
            tf.data.Dataset of pairs. None: the preset's data set.
        preset: a named set of defaults of the method; None: its first.
        generator, discriminator: own networks in place of the method's, if it takes any (`takes_networks`): a
            tf.keras.Model, or a function that makes one. A generator maps latents [n, latent_size] (and labels [n]) to
            images [n, height, width, channels] in [-1, 1], or images to images; a discriminator maps images to logits
            [n, 1].
        callbacks: objects with any of the methods `on_log(step, logs)`, `on_samples(path)`, `on_checkpoint(path)` and
            `on_end(run)`.
        options: every option of tools/train.py as a keyword: `steps=2000`, `image_size=64`, `batch_size=32`,
            `run_dir="runs/mine"` ...

    Raises UserError, in one line and before anything is written, for invalid input; Failure if training fails;
    KeyboardInterrupt after Ctrl-C, once all is saved: `Run(FOLDER).resume()` resumes it.
    """
    wanted, networks = _requested(model, data, preset, generator, discriminator, options)
    told = "".join(f", {name}={value!r}" for name, value in options.items())
    where = repr(data) if isinstance(data, str) else type(data).__name__
    outcome = started(wanted, networks, f"tf2gan.train({model!r}, {where}{told})", callbacks)
    run = Run(outcome.folder, **networks, outcome=outcome.message)
    call_at_end(callbacks, run)
    return run


def _requested(model, data, preset, generator, discriminator, options):
    """(training.request.Request, {role: own network or None}). Raises UserError."""
    method, preset = request.method_and_preset(model, preset)
    numbers = GANS.numbers(method)
    if data is not None and "dataset" in options:
        raise UserError("data and dataset are the same: give one of them")
    values = typed([numbers.Config, Options], options)
    networks = {"generator": generator, "discriminator": discriminator}
    for role, network in networks.items():
        if network is not None and role not in GANS[method].takes_networks:
            possible = ", ".join(GANS[method].takes_networks) or "none"
            raise UserError(f"{role}: {method} takes no {role} of one's own; possible: {possible}")
    given = [name for name in LENGTHS if values.get(name) is not None]
    if len(given) > 1:
        raise UserError(f"give only one of {', '.join(map(flag, given))}")
    if data is not None:
        values["dataset"] = dataset_name(data, method, values)
    config, run_options = request.defaults(method, preset, values)
    return request.made(method, preset, config, run_options, None, given), networks


def dry_run(model, data=None, preset=None, generator=None, discriminator=None, **options) -> str:
    """Describes what `train` would do: configuration, data, networks, memory, length. Writes nothing."""
    wanted, networks = _requested(model, data, preset, generator, discriminator, options)
    return job.dry_run(dataclasses.replace(wanted, own=networks_given(**networks)), during_training)


def register(name, gan_class):
    """Registers a class as a method, for `train(name)` and for --model NAME of a tool that loads its file by --plugin.

    `gan_class`: a subclass of tf2gan.gans.base.GAN with Config, presets and abilities. Raises UserError for the name of
    a built-in method, and for a class that is not a method.
    """
    GANS.register(name, gan_class)
