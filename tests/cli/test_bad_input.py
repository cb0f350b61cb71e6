"""What cannot be used is refused in one line that says what, where and what is possible, and nothing is written."""
import json
import os
import pathlib
import re
import shutil
import socket
import time
import urllib.request

import numpy as np
import pytest
import tensorflow_datasets as tfds
import tool

from tf2gan.training import job


class TwoPartSet(tfds.core.GeneratorBasedBuilder):
    """A data set of tensorflow-datasets without the four splits of unpaired translation."""

    VERSION = tfds.core.Version("1.0.0")

    def _info(self):
        return tfds.core.DatasetInfo(builder=self, features=tfds.features.FeaturesDict(
            {"image": tfds.features.Image(shape=(8, 8, 3))}))

    def _split_generators(self, dl_manager):
        return {"train": self._generate_examples(), "test": self._generate_examples()}

    def _generate_examples(self):
        yield 0, {"image": np.zeros([8, 8, 3], np.uint8)}


@pytest.fixture
def offline(monkeypatch):
    """No connection can be made; the list holds the addresses that were tried."""
    tried = []

    def refuse(*args, **kwargs):
        tried.append(args)
        raise OSError("no network in this test")

    monkeypatch.setattr(socket, "create_connection", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(urllib.request, "getproxies", lambda: {})
    return tried


@pytest.fixture
def place(tmp_path, monkeypatch, tmp_path_factory, offline):
    """The current folder, with good data in `fruit` and much that is not good; no data set is in `tfds`."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tfds").mkdir()
    shutil.copytree(tool.shared_images(tmp_path_factory), "fruit")
    shutil.copytree("fruit", "no_b")
    shutil.rmtree("no_b/trainB")
    shutil.copytree("fruit", "hollow")
    for path in pathlib.Path("hollow/testA").iterdir():
        path.unlink()
    pathlib.Path("hollow/testA/notes.txt").write_text("no image")
    pathlib.Path("empty").mkdir()
    pathlib.Path("file").write_text("no folder")
    pathlib.Path("full").mkdir()
    pathlib.Path("full/notes.txt").write_text("keep me")
    for name, text in FILES.items():
        pathlib.Path(name).write_text(text if isinstance(text, str) else json.dumps({"model": "cyclegan", **text}))
    return tmp_path


# Files for --config, and the words of the line that refuses each.
FILES = {"unknown.json": {"batch_siz": 2}, "word.json": {"batch_size": "many"}, "half.json": {"batch_size": 2.5},
         "switch.json": {"mirror": "perhaps"}, "null_switch.json": {"mirror": None},
         "null_number.json": {"dropout": None}, "list.json": {"batch_size": [1]},
         "list_name.json": {"dataset": ["fruit"]}, "choice.json": {"generator": "unett"},
         "lengths.json": {"steps": 5, "epochs": 3}, "true_steps.json": {"steps": True},
         "size.json": {"image_size": 40}, "preset.json": {"preset": "papr"}, "preset_number.json": {"preset": 7},
         "model.json": {"model": "cyclgan"}, "model_number.json": {"model": 5},
         "model_list.json": {"model": ["cyclegan"]},
         "options.json": {"options": 5, "config": {}}, "action.json": {"dry_run": True},
         "text.json": "no JSON", "cut.json": '{"model": "cyc', "array.json": "[1]", "nothing.json": ""}
TRAIN = "--model cyclegan --dataset fruit --image-size 32 --steps 1 --run-dir new "

CASES = [  # (arguments, words that the line must have)
    # Names.
    ("", "--model cyclegan"),
    ("--model cyclgan", "model cyclgan cyclegan"),
    ("--model", "--model argument"),
    ("--modell cyclegan", "--modell --model"),
    ("--model cyclegan --preset papr", "preset papr paper default"),
    (TRAIN + "--cycle-wieght 3", "--cycle-wieght --cycle-weight"),
    (TRAIN + "--batchsize 3", "--batchsize --batch-size"),
    (TRAIN + "--cycle-weigh 3", "--cycle-weigh --cycle-weight"),  # no abbreviations: a new flag would break them
    (TRAIN + "apples", "apples"),
    (TRAIN + "--generator unett", "--generator unett unet resnet"),
    (TRAIN + "--precision float64", "--precision float64 float32 bfloat16 float16"),
    # Numbers.
    (TRAIN + "--cycle-weight nan", "--cycle-weight nan 0"),
    (TRAIN + "--cycle-weight -1", "--cycle-weight -1 0"),
    (TRAIN + "--identity-weight -0.5", "--identity-weight -0.5 0"),
    (TRAIN + "--adversarial-weight=-2", "--adversarial-weight -2 0"),
    (TRAIN + "--cycle-weight inf", "--cycle-weight inf"),
    (TRAIN + "--cycle-weight 0 --identity-weight 0 --adversarial-weight 0 --projected-weight 0",
     "--cycle-weight --identity-weight"),
    (TRAIN + "--learning-rate nan", "--learning-rate nan"),
    (TRAIN + "--learning-rate -1", "--learning-rate -1"),
    (TRAIN + "--dropout 1", "--dropout 1"),
    (TRAIN + "--ema-decay 1.5", "--ema-decay 1.5"),
    (TRAIN + "--load-scale 0.5", "--load-scale 0.5 1"),
    (TRAIN + "--seed -1", "--seed -1 0"),
    (TRAIN + "--batch-size two", "--batch-size two int"),
    (TRAIN + "--batch-size 0", "--batch-size 0 1"),
    (TRAIN + "--batch-size 7", "--batch-size 7 trainA 6"),
    (TRAIN + "--batch-size 4 --pool-size 3", "--pool-size 3 4 --batch-size"),
    (TRAIN + "--generator-filters 0", "--generator-filters 0 1"),
    (TRAIN + "--discriminator-filters 0", "--discriminator-filters 0 1"),
    (TRAIN + "--log-every 0", "--log-every 0 1"),
    (TRAIN + "--sample-every -1", "--sample-every -1 0"),
    (TRAIN + "--num-samples 0", "--num-samples 0 1"),
    (TRAIN + "--replicas 0", "--replicas 0 1"),
    # Sizes that the networks cannot take.
    (TRAIN + "--image-size 40", "--image-size 40 16 32"),
    (TRAIN + "--image-size 16", "--image-size 16 32"),
    (TRAIN + "--image-size 32x40", "--image-size 32x40 16"),
    (TRAIN + "--image-size big", "--image-size big 96x160"),
    (TRAIN + "--image-size 32x32x3", "--image-size 32x32x3"),
    # Lengths.
    (TRAIN + "--epochs 2", "--steps --epochs one"),
    (TRAIN + "--images 2", "--steps --images one"),
    (TRAIN + "--steps 0", "at least 1"),
    (TRAIN + "--steps none", "--steps --images --epochs"),
    # Data.
    (TRAIN + "--dataset nowhere", "nowhere synthetic_apple2orange folder"),
    (TRAIN + "--dataset ./nowhere", "nowhere exist"),
    (TRAIN + "--dataset synthetic_apple2oranges", "synthetic_apple2oranges synthetic_apple2orange mean"),
    (TRAIN + "--dataset synthetic_apple2orange/big", "synthetic_apple2orange/big pixels 32"),
    (TRAIN + "--data-dir tfds --dataset cycle_gan/horse2zebr", "horse2zebr horse2zebra mean"),
    (TRAIN + "--data-dir tfds --dataset cycle_gan/horse2zebra",
     "cycle_gan/horse2zebra tfds downloaded connection synthetic_apple2orange"),
    (TRAIN + "--dataset no_b", "no_b trainB trainA"),
    (TRAIN + "--dataset empty/", "empty trainA trainB testA testB"),
    (TRAIN + "--dataset hollow", "hollow/testA images .png"),
    (TRAIN + "--dataset ./file", "file folder"),
    (TRAIN + "--dataset cycle_gan/horse2zebra --data-dir nowhere", "--data-dir nowhere"),
    # Folders to write to.
    (TRAIN + "--run-dir full", "--run-dir full empty"),
    (TRAIN + "--run-dir file", "--run-dir file"),
    (TRAIN + "--run-dir file/below/run", "--run-dir file/below/run written"),
    (TRAIN + "--run-dir /proc/no/run", "--run-dir /proc/no/run written"),
    # Files of options.
    ("--config nowhere.json", "--config nowhere.json"),
    ("--config empty", "--config empty directory"),
    ("--config text.json", "text.json JSON"),
    ("--config cut.json", "cut.json JSON"),
    ("--config nothing.json", "nothing.json JSON"),
    ("--config array.json", "array.json object"),
    ("--config unknown.json", "unknown.json batch_siz batch_size mean"),
    ("--config action.json", "action.json dry_run"),
    ("--config word.json", "word.json batch many int"),
    ("--config half.json", "half.json batch 2.5 int"),
    ("--config switch.json", "switch.json mirror perhaps"),
    ("--config null_switch.json", "null_switch.json mirror"),
    ("--config null_number.json", "null_number.json dropout"),
    ("--config list.json", "list.json batch"),
    ("--config list_name.json", "list_name.json dataset"),
    ("--config true_steps.json", "true_steps.json steps"),
    ("--config choice.json", "choice.json unett unet"),
    ("--config lengths.json", "steps epochs one"),
    ("--config size.json", "--image-size 40 16"),
    ("--config preset.json", "papr paper"),
    ("--config preset_number.json", "preset 7"),
    ("--config model.json", "cyclgan cyclegan"),
    ("--config model_number.json", "model 5 cyclegan"),
    ("--config model_list.json", "model cyclegan"),
    ("--config options.json", "options.json options"),
    ("--config word.json --resume new", "--config --resume"),
]


@pytest.mark.parametrize("args, words", CASES, ids=[case[0].replace(TRAIN, "") for case in CASES])
def test_refused(place, monkeypatch, args, words):
    before, began = tool.contents(place), time.monotonic()
    monkeypatch.setattr(job._Job, "_train", lambda *args: job.Outcome("was not refused"))
    process = tool.run_here(*args.split())
    assert process.returncode == 2, process
    assert process.stdout == ""
    assert len(process.stderr.splitlines()) == 1, process.stderr
    assert process.stderr.startswith("train.py: ")
    for word in words.split():
        assert word.lower() in process.stderr.lower(), f"{word} is not in: {process.stderr}"
    assert tool.contents(place) == before, "left something behind"
    assert sorted(path.name for path in place.iterdir()) == sorted(
        ["tfds", "fruit", "no_b", "hollow", "empty", "file", "full", *FILES])
    assert time.monotonic() - began < 30  # seconds on a busy machine; a download would be tried for minutes


def test_the_same_command_line_without_its_mistake_is_taken(place, monkeypatch):
    """Or everything in the table could be refused for another reason."""
    monkeypatch.setattr(job._Job, "_train", lambda *args: job.Outcome("not trained"))
    process = tool.run_here(*(TRAIN + "--generator-filters 4 --discriminator-filters 4").split())
    assert process.returncode == 0, process.stderr
    assert (place / "new" / "config.json").exists()


def test_a_download_begins_with_a_look_whether_there_is_a_network(place, offline):
    tool.run_here(*TRAIN.split(), "--data-dir", "tfds", "--dataset", "cycle_gan/horse2zebra")
    assert len(offline) == 1


def test_splits_of_tensorflow_datasets_that_do_not_fit(place):
    TwoPartSet(data_dir="tfds").download_and_prepare()
    process = tool.run_here(*TRAIN.split(), "--data-dir", "tfds", "--dataset", "two_part_set")
    assert process.returncode == 2 and len(process.stderr.splitlines()) == 1
    for word in ("two_part_set", "trainA, trainB, testA, testB", "train, test"):
        assert word in process.stderr
    assert not (place / "new").exists()


def spoil(place):
    """Makes three files of `fruit` unreadable; their paths."""
    bad = [pathlib.Path("fruit", "trainA", "0.png"), pathlib.Path("fruit", "trainB", "nothing.png"),
           pathlib.Path("fruit", "testB", "words.jpg")]
    os.truncate(place / bad[0], 100)
    (place / bad[1]).touch()
    (place / bad[2]).write_text("these are words")
    return bad


def test_unreadable_images_are_all_listed(place):
    bad = spoil(place)
    process = tool.run_here(*TRAIN.split())
    assert process.returncode == 2 and process.stdout == ""
    summary, *lines = process.stderr.splitlines()
    assert summary.startswith("train.py: 3 unreadable of 21 images") and "--skip-unreadable" in summary
    assert len(lines) == 3
    for path, line in zip(bad, lines):
        assert re.match(rf"  (\S*/)?{path}: \w.{{8}}", line), line  # the path and a reason
    assert not (place / "new").exists()


def test_unreadable_images_are_skipped_on_demand(place, monkeypatch):
    bad, seen = spoil(place), []

    def train(self, *args):
        seen.append(self.splits)
        return job.Outcome("not trained")

    monkeypatch.setattr(job, "build_gan", lambda *args: None)
    monkeypatch.setattr(job._Job, "_train", train)
    process = tool.run_here(*TRAIN.split(), "--skip-unreadable")
    assert process.returncode == 0, process.stderr
    lines = process.stderr.splitlines()
    assert len(lines) == len(bad)
    for path, line in zip(bad, lines):
        assert re.match(rf"skipped (\S*/)?{path}: \w.{{8}}", line), line
    assert {name: split.num_examples for name, split in seen[0].items()} == {**tool.NUM_IMAGES, "trainA": 5}
    record = json.loads((place / "new" / "config.json").read_text())
    assert record["data"]["trainA"] == 5


# As processes of their own, for what the start of TensorFlow and Python add to the one line.

def test_a_batch_that_the_replicas_cannot_share(place):
    process = tool.run(*TRAIN.replace("fruit", str(place / "fruit")).replace("new", str(place / "new")).split(),
                       "--replicas", 2, "--batch-size", 3, "--pool-size", 3)
    assert process.returncode == 2
    assert process.stderr == "train.py: --batch-size 3: cannot be shared equally by 2 replicas\n"
    assert process.stdout == "" and not (place / "new").exists()


def test_a_mistake_in_a_real_process():
    process = tool.run("--model", "cyclegan", "--cycle-wieght", "3")
    assert process.returncode == 2 and process.stdout == ""
    assert len(process.stderr.splitlines()) == 1 and "did you mean --cycle-weight?" in process.stderr
