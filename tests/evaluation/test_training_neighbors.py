"""Samples beside the training images nearest to them: a copy is found, distances and pictures are as of the files."""
import dataclasses
import shutil

import numpy as np
import pytest
import shades
from PIL import Image

from tf2gan.core import images
from tf2gan.evaluation import extractors, image_sets, neighbors
from tf2gan.evaluation.evaluate import evaluate_images
from tf2gan.metrics import statistics


@pytest.fixture(scope="module")
def copies(data, tmp_path_factory):
    """A folder with three training images, and two of other pixels."""
    folder = tmp_path_factory.mktemp("samples") / "copies"
    folder.mkdir()
    for name in shades.LEVELS:
        shutil.copy(data / "train" / name / "7.png", folder / f"{name}.png")
    for i, level in enumerate((30, 220)):
        shades.write(folder / f"x{i}.png", np.full([16, 16], level, np.uint8))
    return folder


def root_mean_square(queries, candidates):
    """Distances [q, n]."""
    differences = queries[:, None].astype(np.float64) - candidates[None]
    return np.sqrt(np.square(differences.reshape(*differences.shape[:2], -1)).mean(-1))


def ordered(folder):
    """The images of `image_sets.folder_images`."""
    return np.concatenate([batch for batch, _ in image_sets.folder_images(str(folder)).batches()])


def found_in(picture, image):
    """(row, column) of every place at which an image is in a picture."""
    height, width = image.shape
    corners = np.argwhere(picture[:1 - height, :1 - width] == image[0, 0])
    return [(y, x) for y, x in corners if (picture[y:y + height, x:x + width] == image).all()]


@pytest.fixture(scope="module")
def written(copies, real, readers, tmp_path_factory):
    """(folder of pictures, what `write` returned, the extractor)."""
    folder, settings = tmp_path_factory.mktemp("nearest"), shades.settings()
    extractor = extractors.of_classes("classifier", real, ["fid"])
    return folder, neighbors.write(folder, image_sets.folder_images(str(copies)), real, extractor, settings), extractor


def test_mean_distances_are_those_of_the_nearest_file(written, copies, data):
    _, found, extractor = written
    train, test = (shades.files(data / split)[0] for split in ("train", "test"))
    assert found.keys() == {"pixels", "features", "authenticity"}
    of_train = extractor(train)["features"]
    for column, queries in (("model", ordered(copies)), ("reference", test)):
        pixels = root_mean_square(queries, train).min(axis=1)
        features = root_mean_square(extractor(queries)["features"], extractor(train)["features"]).min(axis=1)
        assert found["authenticity"][column] == statistics.authenticity(of_train, extractor(queries)["features"])
        assert found["pixels"][column] == pytest.approx(pixels.mean())
        assert found["features"][column] == pytest.approx(features.mean(), rel=1e-3)
        if column == "model":
            assert sorted(pixels)[:3] == [0, 0, 0] and sorted(pixels)[3] > 10
            assert features[pixels == 0] == pytest.approx(0, abs=1e-5)
        else:
            assert pixels.min() > 4, "no test image is a training image"


@pytest.mark.parametrize("space", ["pixels", "features"])
def test_pictures_show_the_neighbours_in_their_order(written, copies, data, space):
    folder, _, extractor = written
    with Image.open(folder / f"nearest_{space}.png") as opened:
        picture = np.asarray(opened.convert("L"))
    queries, train = ordered(copies), shades.files(data / "train")[0]
    show = (lambda x: x) if space == "pixels" else (lambda x: extractor(x)["features"])
    distances = root_mean_square(show(queries), show(train))
    for query, row in zip(queries, distances):
        (large,) = images.enlarged(query[None, None])[0]
        places = found_in(picture, large[..., 0])
        (top,) = (place[0] for place in places if place[1] == 0)  # samples are at the left
        copied = row.min() < 1e-6
        assert sum(place[0] == top for place in places) == 1 + copied, "itself is the nearest one of a training image"
        columns = []
        for index in np.argsort(row, kind="stable")[:7]:
            places = found_in(picture, images.enlarged(train[index][None, None])[0, 0][..., 0])
            columns.append(max(column for height, column in places if height == top))
        assert columns == sorted(columns) and len(set(columns)) == 7 and columns[0] > 0
    assert {path.name for path in folder.iterdir()} == {"nearest_pixels.png", "nearest_features.png"}


def test_batches_change_nothing(written, copies, real, tmp_path, monkeypatch):
    folder, expected, extractor = written
    monkeypatch.setattr(image_sets, "batch_size", lambda shape: 5)  # fewer than neighbours
    monkeypatch.setenv("TF2GAN_CACHE_DIR", str(tmp_path / "cache"))
    (tmp_path / "out").mkdir()
    found = neighbors.write(tmp_path / "out", image_sets.folder_images(str(copies)), real, extractor, shades.settings())
    assert found["pixels"] == expected["pixels"]
    assert found["features"] == pytest.approx(expected["features"], rel=1e-3)
    assert (tmp_path / "out" / "nearest_pixels.png").read_bytes() == (folder / "nearest_pixels.png").read_bytes()


def test_at_most_two_hundred_are_asked_for(real, monkeypatch):
    monkeypatch.setattr(neighbors, "QUERIES", 20)
    taken = real.images("train", 36)
    first = next(iter(taken.batches()))[0]
    np.testing.assert_array_equal(neighbors._first(taken), first[:20])
    np.testing.assert_array_equal(neighbors._first(dataclasses.replace(real.images("test", 5))),
                                  next(iter(real.images("test", 5).batches()))[0])


def test_fewer_training_images_than_are_shown(data, copies, tmp_path):
    for i in range(3):
        (tmp_path / "few").mkdir(exist_ok=True)
        shutil.copy(data / "train" / "dark" / f"{i}.png", tmp_path / "few")
    real = image_sets.load_real(str(tmp_path / "few"))
    found = neighbors.write(tmp_path, image_sets.folder_images(str(copies)), real, None, shades.settings())
    assert found.keys() == {"pixels"} and found["pixels"].keys() == {"model"}  # train itself is the reference
    expected = root_mean_square(ordered(copies), shades.files(tmp_path / "few")[0]).min(axis=1).mean()
    assert found["pixels"]["model"] == pytest.approx(expected)
    assert not (tmp_path / "nearest_features.png").exists()


def test_what_an_evaluation_says_of_them(data, copies, tmp_path):
    result = evaluate_images(str(copies), str(data), shades.settings(metrics="ms-ssim"), nearest=str(tmp_path))
    distance = result["nearest"]["pixels"]
    assert (f"mean distance to the nearest training image, in pixels: {distance['model']:.4g} (measured), "
            f"{distance['reference']:.4g} (reference)") in result["table"]
    assert result["nearest"].keys() == {"pixels"} and (tmp_path / "nearest_pixels.png").exists()
