"""Each command and each block of Python on the pages is run as it stands there, among stand-ins of a user's pictures
and runs, or is left out for a reason that stands here.

Trainings are typed with --dry-run, which refuses all that a training refuses. What says how much to compute is made
small.
"""
import os
import pathlib
import re
import shlex
import shutil
import tarfile
import types
import unittest.mock

import numpy as np
import pytest
import shades
import tensorflow_datasets as tfds
import tool
from PIL import Image

import tf2gan

ROOT = tool.ROOT
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
# {pattern of a line: why no test types it}. Blocks of `text` are printed, not typed.
LEFT_OUT = {
    r"make .*": "makes an environment; continuous integration does",
    r"pip install .*": "installs a package",
    r"source \.venv/bin/activate": "of a shell",
    r"docs/[\w/]+\.py( .*)?": "docs/'s own scripts: test_figures.py, test_notebooks.py",
    r"benchmarks/.*": "tests/benchmarks/",
    r".*https://tfhub\.dev/.*": "a download; tests/latent_space/ has a module of that format",
    r".*--extractor inception.*": "weights that are no longer to be had; tests/metrics/ has a graph of that format",
    r"tools/serve\.py .*": "does not end; tests/serving/ and test_serve_tool.py start it",
    r"tensorflow_model_server .*": "another program", r"\(printf .*": "a client of that program",
    r"export .*": "of a shell", r"mkdir .*|tar .*": "files of a download",
    r"srun .*|exec .*": "a cluster", r".*/shared/.*": "a cluster; tests/training/test_cluster.py has two workers",
    r"photos/.*": "how files lie in a folder",
    r"--model_name.*|curl .*|python -c .*|> translated\.png": "goes on from the line above",
}
# {page: the method of what it calls RUN}
RUN = {"adaptation": "cycada", "cycada": "cycada", "augmented-cyclegan": "augmented-cyclegan",
       "translation": "augmented-cyclegan", "latent-space": "dcgan-photos", "serving": "cgan-mnist"}
SHRUNK = {"--num": "12", "--frames": "2", "--steps": "2", "--starts": "1"}
LAYERS = ["--generator-filters", 4, "--discriminator-filters", 4]
FEW = ["--batch-size", 2, "--log-every", 1, "--checkpoint-every", 1, "--sample-every", 0]


def sets(folder):
    """Writes one of each kind of data set and picture that the pages speak of."""
    rng = np.random.default_rng(0)

    def picture(path, height=None, width=None, kind="RGB"):
        path = folder / path
        path.parent.mkdir(parents=True, exist_ok=True)
        height, width = height or int(rng.integers(40, 60)), width or int(rng.integers(40, 60))
        Image.fromarray(rng.integers(0, 256, [height, width, 3], np.uint8)).convert(kind).save(path)

    for name in ("photo.jpg", "outline.png", "red-apple.png", "face.png"):
        picture(name)
    picture("digit.png", 28, 28, "L")
    for i in range(8):
        for name in ("outlines", "old-photographs", "generated"):
            picture(f"{name}/{i}.jpg")
        for split in ("trainA", "trainB", "testA", "testB"):
            picture(f"unpaired/{split}/{i}.jpg")
        for split in ("train", "test"):
            picture(f"pairs/{split}/{i}.jpg", 48, 96)
    for i in range(150):
        picture(f"digits/{i}.png", 28, 28, "L")
        picture(f"flat/{i}.jpg"), picture(f"faces/{i}.jpg"), picture(f"mine/{i}.jpg")
        picture(f"classes/{i % 10}/{i}.png")
        picture(f"drawn/{i % 10}/{i}.png", 28, 28, "L")
        for split in ("train", "test"):
            picture(f"sorted/{split}/{i % 10}/{i}.png", 32, 32)
        picture(f"sorted/unlabelled/{i}.png"), picture(f"sorted/extra/{i}.png")
    (folder / "shards").mkdir()
    with tarfile.open(folder / "shards" / "train-000.tar", "w") as archive:
        for path in sorted((folder / "flat").iterdir()):
            archive.add(path, path.name)
    # A folder of a name is taken instead of the data set of that name.
    (folder / "cycle_gan").mkdir()
    for name, kind in {"cycle_gan/apple2orange": "unpaired", "synthetic_outlines": "unpaired", "facades": "pairs",
                       "synthetic_facades": "pairs", "synthetic_house_numbers": "sorted", "synthetic_digits": "drawn",
                       }.items():
        (folder / name).symlink_to(folder / kind)
    for name, num in {"mnist": 150, "cifar10": 150, "svhn_cropped": 1000}.items():
        prepare(name, num, folder / "tfds")


def prepare(name, num, data_dir):
    """A set of tensorflow-datasets with `num` images of noise in each split, where it would have been downloaded."""
    builder, rng = tfds.builder(name, data_dir=data_dir), np.random.default_rng(0)

    def splits(self, manager):
        return {split: ((i, {"image": rng.integers(0, 256, builder.info.features["image"].shape, np.uint8),
                             "label": i % 10, **({"id": str(i)} if "id" in builder.info.features else {})})
                        for i in range(num)) for split in ("train", "test", *(["extra"] if "svhn" in name else []))}

    with unittest.mock.patch.object(type(builder), "_split_generators", splits):
        builder.download_and_prepare(download_config=tfds.download.DownloadConfig(try_download_gcs=False))


def photos_of(page, words):
    """What a page means by `photos`, from the command or, where it only names a run, from the run."""
    model = dict(zip(words, words[1:])).get("--model", "")
    if "--num-labels" in words:
        return "sorted"
    if "--input-from" in words or "cycada" in (model, page):
        return "flat"
    if model in ("cyclegan", "cut", "augmented-cyclegan") or words[0] == "tools/translate.py":
        return "unpaired"
    if model == "pix2pix":
        return "pairs"
    return "classes" if model in ("cgan", "sgan") else "flat"


@pytest.fixture(scope="module")
def desk(tmp_path_factory):
    """The folder with the data sets, and `runs`, which fills as the pages name runs."""
    folder = tmp_path_factory.mktemp("desk")
    sets(folder)
    with shades.quick_classifier(folder / "cache"):
        yield folder


def trained(desk, name):
    """The folder of a run of a small model such as `dcgan-mnist-001`; of a method alone, one on whatever it takes."""
    folder = desk / "runs" / name
    if folder.exists():
        return folder
    model = re.sub(r"-(mnist|apple2orange|photos)(-\d+)?$", "", name)
    data = "flat"
    args = ["--image-size", 28, "--latent-size", 5, *LAYERS, "--batch-size", 4, *FEW[2:], "--steps", 2]
    if model in ("cyclegan", "cut", "augmented-cyclegan"):
        data, args = "unpaired", ["--image-size", 32, *LAYERS, *FEW, "--steps", 1, *(
            ["--projected-weight", 0] if model != "cut" else [])]
    elif model == "pix2pix":
        data, args = "flat", ["--input-from", "grey", "--image-size", 64, *LAYERS, *FEW, "--steps", 1]
    elif model == "cycada":
        stages = [text for stage in ("source", "translation", "pixels") for text in (f"--{stage}-steps", 1)]
        data, args = "sorted", ["--target", desk / "sorted", "--image-size", 32, *LAYERS, *FEW, "--steps", 4, *stages,
                                "--classifier-filters", 2]
    elif model in ("projected", "fastgan"):
        args = ["--image-size", 32, *FEW, "--steps", 2, "--evaluate-every", 1, "--evaluate-num", 4, "--held-out", 0,
                "--evaluate-metrics", "swd", "--keep-best", "swd"]
    elif model == "gan":
        args = ["--generator-widths", 8, "--discriminator-widths", 8, *args[:4], *args[8:]]
    elif model == "sgan":
        data, args = "mnist", ["--num-labels", 20, "--baseline", *args]
    elif model == "progan":
        model, args = "progan-mnist", [*tool.small("progan-mnist")[2:], "--steps", 2, *FEW[2:]]
    if "mnist" in name and model != "progan-mnist":
        data = "mnist"
    if name == "dcgan-mnist-001":
        args += ["--evaluate-every", 1, "--evaluate-num", 4, "--evaluate-metrics", "swd", "--keep-best", "swd"]
    done = tool.run_here("--model", model, "--dataset", "mnist" if data == "mnist" else desk / data, *args,
                         "--run-dir", folder, "--data-dir", desk / "tfds")
    assert done.returncode == 0, f"{name}: {done.stderr}"
    return folder


@pytest.fixture
def at(desk, tmp_path, monkeypatch):
    """Function that begins a page: goes to a folder that looks as that page takes for granted, and returns it."""
    def begin(text):
        for path in desk.iterdir():
            if path.name != "runs":
                (tmp_path / path.name).symlink_to(path)
        (tmp_path / "docs").symlink_to(ROOT / "docs")
        (tmp_path / "savedmodels").mkdir()
        written = re.findall(r"--(?:output|from) savedmodels/([\w-]+)", text)
        for path in (ROOT / "savedmodels").iterdir():
            if path.name in written:
                shutil.copytree(path, tmp_path / "savedmodels" / path.name)
            else:
                (tmp_path / "savedmodels" / path.name).symlink_to(path)
        (tmp_path / "runs").mkdir()
        for name in set(re.findall(r"\bruns/([\w-]+-\d{3})", text)):
            (tmp_path / "runs" / name).symlink_to(trained(desk, name))
        monkeypatch.chdir(tmp_path)
        return tmp_path

    return begin


def fences(text, *kinds):
    """The blocks of these kinds."""
    found = re.findall(r"^```(.*?)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    return [code for kind, code in found if kind in kinds]


def lines(text):
    """What is typed, line by line, without comments."""
    for block in fences(text, "", "bash"):
        for line in block.replace("\\\n", " ").splitlines():
            line = re.sub(r"\s+#.*$", "", f" {line}").strip()
            if line:
                yield line


def left_out(line):
    return any(re.fullmatch(pattern, line) for pattern in LEFT_OUT)


def typed(line, page, desk, here):
    """The words of a command: stand-ins for RUN and for photos, and less to compute."""
    words = shlex.split(line)
    stem = page.stem if page.stem != "translation" or "old-photographs" not in words else "pix2pix"
    photos = here / "photos"
    if photos.is_symlink():
        photos.unlink()
    photos.symlink_to(desk / photos_of(page.stem, words))
    if "RUN" in words:
        words[words.index("RUN")] = str(trained(desk, RUN.get(stem, stem)))
    words = [str(desk / "digits") if word == "photos/digits" else word for word in words]
    if words[0] == "tools/train.py" and not {"--list", "--help"} & set(words):
        words += ["--dry-run", "--data-dir", str(desk / "tfds")]
    else:
        for option, few in SHRUNK.items():
            if option in words:
                words[words.index(option) + 1] = few
        if words[0] == "tools/evaluate.py" and "--num" not in words:
            words += ["--num", SHRUNK["--num"]]
        if words[0] == "tools/evaluate.py":
            words += ["--data-dir", str(desk / "tfds")]
        if "--project" in words and "--steps" not in words:
            words += ["--steps", "2"]
    return words


TYPED = [page for page in PAGES if any(line.startswith("tools/") and not left_out(line)
                                       for line in lines(page.read_text("utf-8")))]


@pytest.mark.parametrize("page", TYPED, ids=lambda page: page.stem)
def test_commands_work_as_typed(page, desk, at):
    text = page.read_text("utf-8")
    here, done = at(text), set()
    for line in lines(text):
        if left_out(line) or line in done:
            continue
        done.add(line)
        words = typed(line, page, desk, here)
        result = tool.run_here(*words[1:], tool=pathlib.Path(words[0]).stem)
        assert result.returncode == 0, f"{line}\n  as {shlex.join(words)}\n  {result.stderr[-2000:]}"
        output = dict(zip(words, words[1:])).get("--output")
        assert output is None or os.path.exists(output), line


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_line_is_typed_or_left_out_for_a_reason(page):
    for line in lines(page.read_text("utf-8")):
        assert line.startswith("tools/") or left_out(line), line


def test_reasons_are_of_lines_that_are_there():
    there = [line for page in PAGES for line in lines(page.read_text("utf-8"))]
    for pattern in LEFT_OUT:
        assert any(re.fullmatch(pattern, line) for line in there), pattern


def test_python_of_the_readme(at, tmp_path):
    text = (ROOT / "README.md").read_text("utf-8")
    at(text)
    (code,) = fences(text, "python")
    assert "steps=2000" in code
    exec(code.replace("steps=2000", "steps=2, sample_every=1"), {})
    assert (tmp_path / "savedmodels" / "mine" / "1" / "saved_model.pb").exists()


def test_python_about_styles(desk, at):
    text = (ROOT / "docs" / "translation.md").read_text("utf-8")
    run = tf2gan.load(trained(desk, "augmented-cyclegan"))
    (code,) = fences(text, "python")
    picture, other = np.random.default_rng(0).integers(0, 256, [2, 32, 32, 3], np.uint8)
    found = {"run": run, "picture": picture, "other": other}
    exec(code, found)
    assert len(found["made"]) == 3 and found["like"].shape == (32, 32, 3)


def test_python_about_latents(at):
    text = (ROOT / "docs" / "latent-space.md").read_text("utf-8")
    at(text)
    (code,) = fences(text, "python")
    handle = "https://tfhub.dev/google/progan-128/1"
    assert handle in code
    found = types.SimpleNamespace()
    exec(code.replace(handle, "savedmodels/progan-mnist"), vars(found))
    assert found.images.shape[0] == 4 and found.pictures.dtype == np.uint8


def test_all_python_is_run_by_a_test():
    elsewhere = {"python.md": "api/test_docs.py", "extending.md": "test_readme.py"}
    here = {"README.md", "translation.md", "latent-space.md"}
    for page in PAGES:
        if fences(page.read_text("utf-8"), "python") and page.parent.name != "methods":  # excerpts: test_figures.py
            assert page.name in here or page.name in elsewhere, page
