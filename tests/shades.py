"""For tests of evaluations: small data, a classifier that learns them in a second, and runs on them."""
import contextlib
import dataclasses
import os
import pathlib

import numpy as np
import pytest
import tensorflow as tf
import tool
from PIL import Image

from tf2gan.data import load, pipeline
from tf2gan.evaluation import extractors
from tf2gan.evaluation.evaluate import Settings
from tf2gan.export import exporter
from tf2gan.gans.cyclegan import Config, CycleGAN
from tf2gan.metrics import classifier
from tf2gan.runs import run_folder
from tf2gan.runs.restore import load_gan
from tf2gan.training.options import Options

SIZE, SEED, STEPS, BATCH_SIZE = 16, 3, 2, 4
LEVELS = {"dark": 70, "grey": 128, "light": 186}  # mean grey of each class
NUM_TRAIN, NUM_TEST = 12, {"dark": 5, "grey": 8, "light": 9}
NETWORKS = {"cgan": ("--generator-filters", "2", "--discriminator-filters", "2"),
            "gan": ("--generator-widths", "4", "--discriminator-widths", "4")}


@contextlib.contextmanager
def quick_classifier(cache):
    """Classifiers learn for a second, and are kept in `cache`; gives the list of those that were used, in order."""
    used = []

    def classifier_for(*args, **kwargs):
        used.append(classifier.classifier_for(*args, **{"recipe": classifier.Recipe(steps=60, batch_size=16),
                                                        **kwargs}))
        return used[-1]

    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("TF2GAN_CACHE_DIR", os.fspath(cache))
        patched.setattr(extractors, "classifier_for", classifier_for)
        patched.setattr(extractors, "DOMAIN_RECIPE", classifier.Recipe(steps=20, batch_size=8))
        yield used


@tool.once
def shared_cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


# Data.

def write(path, pixels):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


def shade(random, level, size=SIZE):
    return random.normal(level, 6, [size, size]).clip(0, 255).astype(np.uint8)


def make_data(folder):
    """A folder with train and test, one sub folder a class; returns it."""
    random = np.random.default_rng(0)
    for name, level in LEVELS.items():
        for split, num in (("train", NUM_TRAIN), ("test", NUM_TEST[name])):
            for i in range(num):
                write(folder / split / name / f"{i}.png", shade(random, level))
    return folder


@tool.once
def shared_data(tmp_path_factory):
    """Not to be changed."""
    return make_data(tmp_path_factory.mktemp("data") / "shades")


def files(folder):
    """(uint8 [n, height, width, channels], labels [n], positions in LEVELS or -1), in the order of a split."""
    paths = sorted(folder.rglob("*.png"), key=lambda path: path.relative_to(folder).parts)
    pixels = [np.asarray(Image.open(path)) for path in paths]
    labels = [list(LEVELS).index(path.parent.name) if path.parent.name in LEVELS else -1 for path in paths]
    return np.stack([each.reshape(*each.shape[:2], -1) for each in pixels]), np.array(labels)


def drawn(folder, split, num, seed):
    """What `RealData.images` should be: images and labels of a split's files in the order of a training's epoch."""
    images, labels = files(folder / split)
    order = pipeline.order(load.load(str(folder), (split,))[split], seed, 0).numpy()[:num]
    return images[order], labels[order]


# Runs.

def shake(networks, deviation=0.3):
    """Weights whose outputs depend on their inputs, which those of a few steps hardly do."""
    random = np.random.default_rng(0)
    for network in networks:
        for variable in (v for v in network.variables if "variance" not in v.name):  # which cannot be negative
            variable.assign(variable + random.normal(0, deviation, variable.shape))


def train(model, data, folder, *args):
    done = tool.run_here("--model", model, "--dataset", data, "--run-dir", folder, "--image-size", SIZE,
                         "--batch-size", BATCH_SIZE, "--latent-size", "5", "--seed", SEED, *NETWORKS[model], *args)
    assert done.returncode == 0, done.stderr
    return folder


def _shaken_run(model, tmp_path_factory):
    folder = train(model, shared_data(tmp_path_factory), tmp_path_factory.mktemp(model) / "run", "--steps", STEPS)
    gan, _ = load_gan(folder)
    shake([gan.average, gan.generator])
    gan.images_seen.assign_add(BATCH_SIZE)
    run_folder.Run(folder).save(gan, {"step": STEPS + 1, "replicas": 1})
    return folder


@tool.once
def cgan_run(tmp_path_factory):
    """A run whose averaged and raw weights differ; to be copied before anything is written into it."""
    return _shaken_run("cgan", tmp_path_factory)


@tool.once
def gan_run(tmp_path_factory):
    return _shaken_run("gan", tmp_path_factory)


RUNS = {"cgan": cgan_run, "gan": gan_run}
IMAGES_SEEN = (STEPS + 1) * BATCH_SIZE


@tool.once
def gan_export(tmp_path_factory):
    return exporter.export(*_gan_and_record(gan_run(tmp_path_factory), tmp_path_factory, "grey-shades"))


def _gan_and_record(folder, tmp_path_factory, name):
    gan, record = load_gan(folder)
    return gan, tmp_path_factory.mktemp("exports") / name, None, record


def samples(gan, num, seed):
    """(uint8 images that a GAN makes of the first latents of a seed, the labels that were asked for or None)."""
    labels = None if gan.num_classes is None else np.random.default_rng(seed).permutation(np.arange(num) % 3)
    condition = [] if labels is None else [labels]
    made = gan.generate(gan.latents(num, seed), *condition).numpy()
    return np.rint(255 * np.clip((made + 1) / 2, 0, 1)).astype(np.uint8), labels


# Two domains.

DOMAIN_SIZE, NUM_OF_DOMAINS = 32, {"trainA": 9, "trainB": 8, "testA": 5, "testB": 5}


@tool.once
def shared_domains(tmp_path_factory):
    """trainA, trainB, testA, testB, of images 32x32; files of the same names in A and B belong together."""
    folder, random = tmp_path_factory.mktemp("domains") / "tints", np.random.default_rng(1)
    for split, num in NUM_OF_DOMAINS.items():
        for i in range(num):
            tint = [200, 90, 60] if split.endswith("A") else [70, 120, 210]
            pixels = random.normal(tint, 30, [DOMAIN_SIZE, DOMAIN_SIZE, 3]).clip(0, 255).astype(np.uint8)
            write(folder / split / f"{i}.png", pixels)
    return folder


def make_cyclegan_run(folder, data, **changes):
    """A run as a training of a few steps leaves it, without the minute that these take; returns the folder."""
    config = Config(**{"dataset": str(data), "image_size": str(DOMAIN_SIZE), "generator_filters": 2, "num_blocks": 1,
                       "discriminator_filters": 2, "seed": SEED, "batch_size": 1, **changes})
    tf.keras.utils.set_random_seed(config.seed)
    gan = CycleGAN(config, 40)
    shake([gan.translating_network(direction) for direction in gan.abilities.directions], 0.1)
    gan.images_seen.assign(7)
    splits = load.load(str(data), CycleGAN.splits)
    record = {"model": "cyclegan", "preset": "default", "config": dataclasses.asdict(config), "total_images": 40,
              "options": dataclasses.asdict(Options()),
              "data": {name: split.num_examples for name, split in splits.items()},
              "fingerprints": {name: split.fingerprint for name, split in splits.items()}, "command": "tools/train.py"}
    tool.made_run(pathlib.Path(folder), record).save(gan, {"step": 7, "replicas": 1})
    return folder


@tool.once
def cyclegan_run(tmp_path_factory):
    return make_cyclegan_run(tmp_path_factory.mktemp("cyclegan") / "run", shared_domains(tmp_path_factory))


# Records of evaluations.

def column(result, name):
    """{metric: value} of one column."""
    return {figure["metric"]: figure["values"][name] for figure in result["figures"] if name in figure["values"]}


def settings(**changes):
    """With the extractor that these data have trained, whatever is the default for images in colour."""
    return Settings(**{"extractor": "classifier", **changes})
