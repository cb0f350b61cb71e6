"""What no GAN from noise can be trained with is refused in one line that says what is possible; nothing is written."""
import json
import pathlib
import re
import shutil

import numpy as np
import pytest
import tensorflow_datasets as tfds
import tool
from PIL import Image

from tf2gan.runs.restore import load_gan
from tf2gan.training import job


class UnlabelledSet(tfds.core.GeneratorBasedBuilder):
    """A data set of tensorflow-datasets with images only."""

    VERSION = tfds.core.Version("1.0.0")

    def _info(self):
        return tfds.core.DatasetInfo(builder=self, features=tfds.features.FeaturesDict(
            {"image": tfds.features.Image(shape=(28, 28, 1))}))

    def _split_generators(self, dl_manager):
        return {"train": self._generate_examples()}

    def _generate_examples(self):
        for i in range(8):
            yield i, {"image": np.full([28, 28, 1], 20 * i, np.uint8)}


@pytest.fixture
def place(tmp_path, monkeypatch, tmp_path_factory):
    """The current folder: `harvest` has classes and mixed sizes, `flat` nine images of 28x28, `wide` of 28x32."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(tool.shared_class_images(tmp_path_factory), "harvest")
    shutil.copytree(tool.shared_images(tmp_path_factory), "fruit")
    for name, shape in (("flat", [28, 28]), ("wide", [28, 32])):
        pathlib.Path(name).mkdir()
        for i in range(9):
            Image.fromarray(np.full(shape, 25 * i, np.uint8)).save(f"{name}/{i}.png")
    for name in ("empty", "hollow/apples", "hollow/nuts"):
        pathlib.Path(name).mkdir(parents=True)
    for name, text in FILES.items():
        pathlib.Path(name).write_text(json.dumps(text))
    return tmp_path


FILES = {"typo.json": {"model": "gan", "n_critc": 2}, "loss.json": {"model": "gan", "loss": "wasserstien"},
         "labels.json": {"model": "wgan", "dataset": "flat", "label_flips": 0.1},
         "preset.json": {"model": "wgan", "preset": "wgan-pg"}}
BEGINNING = "--batch-size 4 --steps 1 --run-dir new "
GAN = f"--model gan --dataset flat --generator-widths 8 {BEGINNING}"
DCGAN = f"--model dcgan --dataset flat --generator-filters 4 --discriminator-filters 4 {BEGINNING}"
WGAN = DCGAN.replace("dcgan", "wgan")
CGAN = f"--model cgan --dataset harvest --image-size 28 --generator-filters 4 --discriminator-filters 4 {BEGINNING}"
SGAN = f"--model sgan-book --dataset harvest --image-size 28 --num-labels 4 {BEGINNING}"

CASES = [  # (arguments, words that the line must have)
    # Names.
    ("--model gan-deap", "gan-deap 'gan-deep' mean"),
    ("--model dcgan-transposed", "dcgan-transposed 'dcgan-transpose' mean"),
    ("--model wgan_gp", "wgan_gp 'wgan-gp' mean"),
    ("--model default", "default gan-deep wgan-gp cyclegan"),  # a preset of cyclegan's, but no name
    ("--model wgan --preset wgan-pg", "wgan-pg 'wgan-gp' mean"),
    ("--model gan --preset deep", "deep 'gan-deep' mean"),
    ("--model wgan --preset gan-deep", "preset gan-deep possible: wgan, wgan-gp"),
    ("--model gan-deep --preset gan-smooth", "gan-deep gan-smooth contradicts"),
    ("--model wgan-gp --preset wgan", "wgan-gp contradicts"),
    ("--preset gan-deep", "--model gan-deep"),
    ("--config preset.json", "wgan-pg 'wgan-gp' mean"),
    ("--config typo.json", "typo.json n_critc 'n_critic' mean"),
    ("--config loss.json", "loss.json --loss wasserstien wasserstein mean"),
    (GAN + "--n-critc 2", "--n-critc --n-critic mean"),
    (GAN + "--loss wasserstien", "--loss wasserstien mean wasserstein minimax, hinge"),
    (GAN + "--loss lsgan", "--loss lsgan least-squares"),
    (GAN + "--penalty wgan-pg", "--penalty wgan-pg mean wgan-gp? r1"),
    (GAN + "--penalty 0", "--penalty 0 dragan none"),
    (GAN + "--generator-optimizer adamw", "--generator-optimizer adamw adam rmsprop"),
    (GAN + "--optimizer sgd", "--optimizer --generator-optimizer"),
    (GAN + "--latent-distribution gaussian", "--latent-distribution gaussian normal uniform"),
    (GAN + "--batches together", "--batches together separate joint"),
    (DCGAN + "--networks resnet", "--networks resnet upsampling transposed"),
    (DCGAN + "--discriminator-normalization group", "--discriminator-normalization group batch layer none"),
    # What does not go together.
    (WGAN + "--real-label 0.9", "--real-label 0.9 wasserstein labels 1.0 non-saturating"),
    (WGAN + "--fake-label 0.1", "--fake-label 0.1 wasserstein labels 0.0"),
    (WGAN + "--soft-labels", "--soft-labels wasserstein labels least-squares"),
    (WGAN + "--label-flips 0.1", "--label-flips 0.1 wasserstein labels 0.0"),
    (WGAN + "--loss hinge --real-label 0.9", "--real-label 0.9 hinge labels"),
    ("--config labels.json " + BEGINNING, "--label-flips 0.1 wasserstein labels"),
    (WGAN + "--weight-clip none", "wasserstein --weight-clip --penalty"),
    (GAN + "--loss wasserstein", "wasserstein --weight-clip --penalty"),
    (GAN + "--fake-label 1", "--fake-label 1.0 --real-label 1.0"),
    (GAN + "--real-label 0.3 --fake-label 0.4", "--fake-label 0.4 --real-label 0.3"),
    (DCGAN + "--batch-size 5", "--batch-size 5 even --half-batches"),
    (GAN + "--batch-size 3 --half-batches", "--batch-size 3 even --half-batches"),
    (GAN + "--batch-size 64", "--batch-size 64 train 9 images"),
    (DCGAN + "--batch-size 20", "--batch-size 20 train 9 images"),  # of which ten are real
    (GAN + "--replicas 2 --batch-size 5", "--batch-size 5 2 replicas"),
    (DCGAN + "--replicas 2 --batch-size 6", "--batch-size 6 2 replicas"),  # three real ones
    # Numbers.
    (GAN + "--n-critic 0", "--n-critic 0 1"),
    (GAN + "--n-critic 2.5", "--n-critic 2.5 int"),
    (GAN + "--label-flips 2", "--label-flips 2 from 0 to 1"),
    (GAN + "--label-flips 50%", "--label-flips 50% float"),
    (GAN + "--soft-labels 0.3", "--soft-labels 0.3"),
    (GAN + "--instance-noise -0.1", "--instance-noise -0.1 0"),
    (GAN + "--instance-noise nan", "--instance-noise nan 0"),
    (GAN + "--real-label 1.1", "--real-label 1.1 from 0 to 1"),
    (GAN + "--latent-size 0", "--latent-size 0 1"),
    (GAN + "--generator-dropout 1", "--generator-dropout 1 0.99"),
    (GAN + "--generator-widths 0", "--generator-widths 0 256,512"),
    (GAN + "--generator-widths 12,", "--generator-widths 12, 256,512"),
    (GAN + "--discriminator-widths twelve", "--discriminator-widths twelve 256,512"),
    (GAN + "--leaky-slope -1", "--leaky-slope -1 0"),
    (GAN + "--weight-clip 0", "--weight-clip 0 above none"),
    (GAN + "--gradient-clip -1", "--gradient-clip -1 above none"),
    (GAN + "--penalty-weight -1", "--penalty-weight -1 0"),
    (GAN + "--discriminator-loss-weight inf", "--discriminator-loss-weight inf finite"),
    (GAN + "--generator-learning-rate -1", "--generator-learning-rate -1 0"),
    (GAN + "--discriminator-learning-rate nan", "--discriminator-learning-rate nan"),
    (GAN + "--beta-1 1", "--beta-1 1"),
    (GAN + "--beta-2 -0.1", "--beta-2 -0.1"),
    (GAN + "--pretrain-images -1", "--pretrain-images -1 0"),
    (DCGAN + "--generator-filters 0", "--generator-filters 0 1"),
    (CGAN + "--discriminator-filters 0", "--discriminator-filters 0 1"),
    # Sizes and channels.
    (DCGAN + "--image-size 30", "--image-size 30 28 and 32"),
    (DCGAN + "--image-size 4", "--image-size 4 nearest: 8"),
    (DCGAN + "--image-size 28x32", "--image-size 28x32 square"),
    (GAN + "--image-size 0", "--image-size 0 1"),
    (CGAN + "--image-size 30", "--image-size 30 28 and 32"),
    (DCGAN.replace("dcgan", "dcgan-transpose"), "--image-size 28 24 and 32"),  # the size of the data
    (DCGAN + "--networks transposed --image-size 16", "--image-size 16 nearest: 24"),
    (GAN + "--dataset harvest", "--image-size harvest differ size"),
    (CGAN + "--image-size none", "--image-size harvest differ size"),
    (DCGAN + "--dataset wide", "--image-size wide 28x32 square multiples of 4"),
    (GAN + "--channels 2", "--channels 2 1, 3"),
    # Data.
    (GAN + "--dataset empty", "empty images .png"),
    (GAN + "--dataset hollow", "hollow images .png"),
    (GAN + "--dataset ./nowhere", "nowhere exist"),
    (GAN + "--dataset mnsit", "mnsit 'mnist' mean synthetic_digits"),
    (GAN + "--dataset synthetic_digitz", "synthetic_digitz 'synthetic_digits' mean"),
    (DCGAN + "--dataset fruit", "fruit trainA translation mean"),
    ("--model cyclegan --image-size 32 --dataset harvest --run-dir new", "harvest trainA trainB apples nuts"),
    ("--model cyclegan --image-size 32 --dataset flat --run-dir new", "flat trainA trainB one kind"),
    (CGAN + "--dataset flat", "flat labels class"),
    (CGAN + "--num-classes 3", "--num-classes 3 harvest 2 classes"),
    # Labels of a few.
    (SGAN + "--num-labels 1", "--num-labels 1 fewer 2 classes harvest"),
    (SGAN + "--num-labels 0", "--num-labels 0 1"),
    (SGAN + "--num-labels 12", "--num-labels 12 6 each nuts 5 up to 10 none"),
    (SGAN + "--num-labels few", "--num-labels few int"),
    (SGAN + "--label-seed -1", "--label-seed -1 from 0"),
    (SGAN + "--more-unlabelled extra", "extra exist folder without labels"),
    (SGAN + "--dataset synthetic_digits --more-unlabelled extra", "synthetic_digits lacks extra train, test"),
    (SGAN + "--exclude-labelled --num-labels none", "--exclude-labelled 11 --num-labels --more-unlabelled"),
    (SGAN + "--dataset flat", "flat no labels class"),
    (SGAN + "--classes 3", "--classes 3 harvest 2 classes"),
    (SGAN + "--generator transposed", "--image-size 28 24 and 32"),
    (SGAN + "--discriminator house-numbers --image-size 20", "--image-size 20 nearest: 24"),
    (SGAN + "--generator-objective l2-features", "--generator-objective l2-features squared-features"),
    (SGAN + "--epoch-decay 0.9 --learning-rate-decay", "--learning-rate-decay --epoch-decay one"),
    (SGAN + "--epoch-decay 2", "--epoch-decay 2 from 0 to 1"),
    (CGAN + "--baseline", "unknown --baseline"),
]


def refused(place, args):
    """Runs the tool, which has to fail with one line and write nothing; returns the line."""
    before = tool.contents(place)
    entries = sorted(path.name for path in place.iterdir())
    process = tool.run_here(*args.split())
    assert process.returncode == 2, process
    assert process.stdout == "" and len(process.stderr.splitlines()) == 1, process.stderr
    assert process.stderr.startswith("train.py: ")
    assert tool.contents(place) == before and sorted(path.name for path in place.iterdir()) == entries
    return process.stderr


@pytest.mark.parametrize("args, words", CASES,
                         ids=[re.sub(f"--dataset (flat|harvest) .*{BEGINNING}", "", case[0]) for case in CASES])
def test_refused(place, monkeypatch, args, words):
    monkeypatch.setattr(job._Job, "_train", lambda *args: job.Outcome("was not refused"))
    line = refused(place, args)
    for word in words.split():
        assert word.lower() in line.lower(), f"{word} is not in: {line}"


@pytest.mark.parametrize("args", [GAN, DCGAN, WGAN, CGAN, GAN + "--dataset wide --image-size 28",
                                  CGAN + "--num-classes 2", DCGAN + "--batch-size 18", GAN + "--channels 3",
                                  SGAN, SGAN + "--num-labels 11", SGAN + "--num-labels none --classes 2",
                                  DCGAN + "--batch-size 5 --nohalf-batches", WGAN + "--loss hinge --weight-clip none",
                                  WGAN + "--weight-clip none --penalty wgan-gp --discriminator-normalization layer"])
def test_the_same_without_its_mistake_is_taken(place, monkeypatch, args):
    """Or the table could refuse for another reason."""
    monkeypatch.setattr(job._Job, "_train", lambda *args: job.Outcome("not trained"))
    process = tool.run_here(*args.split())
    assert process.returncode == 0, process.stderr
    assert (place / "new" / "config.json").exists()


def test_a_set_of_tensorflow_datasets_without_labels(place):
    pathlib.Path("tfds").mkdir()
    UnlabelledSet(data_dir="tfds").download_and_prepare()
    line = refused(place, CGAN + "--dataset unlabelled_set --data-dir tfds --image-size none")
    assert "unlabelled_set" in line and "no labels" in line and "mnist" in line


@pytest.fixture
def run(place, monkeypatch):
    """The name of a run with a total of 1 step, of the preset gan-smooth, that has seen nothing yet."""
    with monkeypatch.context() as patch:
        patch.setattr(job._Job, "_train", lambda *args: job.Outcome("not trained"))
        process = tool.run_here(*GAN.replace("--model gan ", "--model gan-smooth ").split())
    assert process.returncode == 0, process.stderr
    return "new"


@pytest.mark.parametrize("flags, words", [
    ("--latent-size 50", "--latent-size 50 100"),
    ("--image-size 32", "--image-size 32 28"),
    ("--channels 3", "--channels 3 1"),
    ("--batch-size 2", "--batch-size 2 4"),
    ("--real-label 1", "--real-label 1.0 0.9"),
    ("--soft-labels", "--soft-labels True False"),
    ("--penalty r1", "--penalty r1 None"),
    ("--loss hinge", "--loss hinge non-saturating"),
    ("--n-critic 2", "--n-critic 2 1"),
    ("--generator-widths 16", "--generator-widths 16 8"),
    ("--pretrain-images 8", "--pretrain-images 8 0"),
    ("--model gan-deep", "gan-deep gan-smooth"),
    ("--model dcgan", "dcgan gan"),
    ("--preset gan", "gan gan-smooth"),
    ("--dataset wide", "the data have changed"),
    ("--dataset synthetic_digits", "--dataset synthetic_digits contradicts flat"),
])
def test_a_resume_changes_nothing_that_the_numbers_depend_on(place, run, flags, words):
    line = refused(place, f"--resume {run} --steps 3 {flags}")
    for word in words.split():
        assert word in line, line


@pytest.mark.parametrize("flags", ["--model gan-smooth", "--model gan --preset gan-smooth", "--image-size 28",
                                   "--real-label 0.9", "--dataset flat/", "--channels 1"])
def test_a_resume_takes_the_flags_of_its_run(place, run, monkeypatch, flags):
    monkeypatch.setattr(job._Job, "_train", lambda *args: job.Outcome("gone on with"))
    process = tool.run_here(*f"--resume {run} --steps 3 {flags}".split())
    assert process.returncode == 0 and "gone on with" in process.stdout, process.stderr


def test_other_images_in_the_folder_of_a_run(place, run):
    Image.fromarray(np.zeros([28, 28], np.uint8)).save("flat/9.png")
    line = refused(place, f"--resume {run}")
    assert "changed" in line and "'train': 9" in line and "'train': 10" in line


# Numbers that are no longer finite.

@pytest.fixture(scope="module")
def diverged(tmp_path_factory):
    """(folder, process): the discriminator's rate is absurd. With a cross-entropy its logits would not grow so fast."""
    folder = tmp_path_factory.mktemp("diverged") / "run"
    return folder, tool.run_here(
        *tool.small("gan"), "--dataset", tool.shared_class_images(tmp_path_factory), "--loss", "least-squares",
        "--discriminator-optimizer", "sgd", "--discriminator-learning-rate", 100, "--steps", 30, "--log-every", 1,
        "--checkpoint-every", 1, "--sample-every", 0, "--run-dir", folder)


def test_divergence_is_one_line_that_names_the_first_quantity_and_the_last_good_checkpoint(diverged):
    folder, process = diverged
    assert process.returncode == 1 and process.stdout == ""
    *before, first = process.stderr.partition(f"run folder: {folder}\n")[::2]
    *lines, last = first.splitlines()
    assert [line.split(":")[0] for line in before[0].splitlines()] == ["data", "training"]
    assert lines and all(line.startswith("step ") for line in lines)
    # The losses are finite still, but the squares of their gradients, which Adam keeps, are not.
    found = re.fullmatch(r"train\.py: training diverged: (\S+) is no longer finite at step (\d+), image \d+; "
                         r"the last good checkpoint is (\S+)", last)
    assert found, last
    step, newest = int(found.group(2)), max((folder / "checkpoints").glob("[0-9]*"))
    assert step > 1 and tool.metrics(folder)[-1]["step"] == step
    assert found.group(3) == str(newest) and int(newest.name) // 4 == step - 1


def test_the_checkpoint_that_divergence_leaves_is_whole(diverged):
    folder, _ = diverged
    gan, record = load_gan(folder)
    assert gan.images_seen.numpy() == record["checkpoint"]["images"]
    assert all(np.isfinite(value).all() for value in tool.tensors(folder).values() if value.dtype != object)
    assert np.isfinite(gan.generate(gan.latents(3, seed=0)).numpy()).all()
