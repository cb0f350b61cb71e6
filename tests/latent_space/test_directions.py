"""Attribute directions: means of groups of seeds or classes, and the file that keeps one."""
import json

import numpy as np
import pytest

from tf2gan.core.errors import UserError
from tf2gan.latent_space import directions

SIZE = 6


class Generator:
    """A stand-in for hub.Generator: 4x4 images, all of the brightness of their latent's first number."""

    name, hash, latent_size, image_size, channels, latent_distribution = "m/1", "ab" * 32, SIZE, (4, 4), 1, "normal"

    def __init__(self, **changes):
        vars(self).update(changes)

    def latents(self, num, seed):
        return np.random.default_rng(seed).normal(size=[num, self.latent_size]).astype(np.float32)

    def pictures(self, latents, progress=None):
        brightness = np.uint8(np.clip(128 + 40 * latents[:, 0], 0, 255))
        return np.tile(brightness[:, None, None, None], [1, *self.image_size, self.channels])


class Classifier:
    """A stand-in for classification.Classifier: dark, grey or bright; never blue."""

    image_shape, class_names = (4, 4, 1), ("dark", "grey", "bright", "blue")

    def fitted(self, picture):
        return picture[:4, :4, :1]

    def probabilities(self, pixels, batch=100, progress=None):
        assert pixels.dtype == np.uint8 and pixels.shape[1:] == self.image_shape
        level = pixels.reshape(len(pixels), -1).mean(axis=1)
        return np.eye(4, dtype=np.float32)[np.where(level < 100, 0, np.where(level < 156, 1, 2))]


def refusal(function, *args, **kwargs):
    """The message of the UserError, which has to be one line."""
    with pytest.raises(UserError) as caught:
        function(*args, **kwargs)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_between_is_the_second_mean_minus_the_first():
    found = directions.between([[1, 2], [3, 6]], [[10, 0], [20, 0], [30, 3]])
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, [18, -3])
    for first, second in (([[1, 2]], [[1]]), ([1, 2], [3, 4]), ([[1, 2]], np.zeros([0, 2]))):
        with pytest.raises(ValueError, match="num > 0"):
            directions.between(first, second)


def test_of_seeds_takes_the_first_latent_of_each():
    generator = Generator()
    found = directions.of_seeds(generator, [3, 4], [5])
    first = {seed: generator.latents(1, seed)[0].astype(np.float64) for seed in (3, 4, 5)}
    np.testing.assert_allclose(found.vector, first[5] - (first[3] + first[4]) / 2, rtol=1e-6)
    assert (found.module, found.module_hash, found.meaning) == ("m/1", "ab" * 32, "seeds 3, 4 to seed 5")
    assert found.info["from_seeds"] == [3, 4] and found.info["to_seeds"] == [5]
    np.testing.assert_allclose(found.info["length"], np.linalg.norm(found.vector))
    np.testing.assert_allclose(found.info["length_by_chance"], np.sqrt(SIZE * 1.5))


def test_length_by_chance_is_that_of_means_of_the_same_distribution():
    for distribution, draw in (("normal", np.random.default_rng(0).normal),
                               ("uniform", lambda size: np.random.default_rng(0).uniform(-1, 1, size))):
        generator = Generator(latent_distribution=distribution, latent_size=2000,
                              latents=lambda num, seed: draw(size=[seed + 1, num, 2000])[seed])
        info = directions.of_seeds(generator, [1, 2], [3, 4, 5]).info
        np.testing.assert_allclose(info["length"], info["length_by_chance"], rtol=0.05)


def test_seeds_that_are_no_two_groups_are_refused():
    assert "at least one seed" in refusal(directions.of_seeds, Generator(), [], [1])
    assert "seed 7 is there twice" in refusal(directions.of_seeds, Generator(), [1, 7], [7])
    assert "seed 1 is there twice" in refusal(directions.of_seeds, Generator(), [1, 1], [7])


@pytest.mark.parametrize("classes", [("dark", "bright"), ("0", "2")])
def test_of_classes_is_of_the_first_samples_of_each(classes):
    generator, added = Generator(), []
    found = directions.of_classes(generator, Classifier(), *classes, num=70, seed=5, progress=added.append,
                                  record={"name": "c", "hash": "12"})
    latents = generator.latents(5000, 5)
    level = 128 + 40 * latents[:, 0]
    dark, bright = (np.flatnonzero(of_class) for of_class in (level < 100, level >= 156))
    np.testing.assert_array_equal(found.vector, directions.between(latents[dark[:70]], latents[bright[:70]]))
    assert found.vector[0] > 2 and np.abs(found.vector[1:]).max() < 1
    assert sum(added) == 140 and found.meaning == "dark to bright"
    drawn = -(-(max(dark[69], bright[69]) + 1) // 100) * 100
    expected = {"kind": "classes", "from_class": "dark", "to_class": "bright", "num": 70, "seed": 5, "drawn": drawn,
                "found": {"dark": np.sum(dark < drawn), "bright": np.sum(bright < drawn)},
                "classifier": {"name": "c", "hash": "12"}, "images": "4x4x1, as generated"}
    assert {name: found.info[name] for name in expected} == expected
    back = directions.of_classes(generator, Classifier(), *classes[::-1], num=70, seed=5)
    np.testing.assert_array_equal(back.vector, -found.vector)


def test_images_of_another_size_are_fitted_to_the_classifier():
    same, larger = Generator(), Generator(image_size=(8, 8), channels=3)
    found = directions.of_classes(larger, Classifier(), "dark", "bright", num=20)
    np.testing.assert_array_equal(
        found.vector, directions.of_classes(same, Classifier(), "dark", "bright", num=20).vector)
    assert found.info["images"] == "8x8x3, resized to cover 4x4x1, cropped in the middle"


def test_classes_that_give_no_direction_are_refused():
    def of(*classes, **options):
        return refusal(directions.of_classes, Generator(), Classifier(), *classes, **options)

    assert "did you mean 'bright'" in of("dark", "brigth")
    assert "from 0 to 3" in of("0", "4")
    assert "class dark is there twice" in of("dark", "0")
    assert "at least 1" in of("dark", "bright", num=0)
    assert "only 0 of 250 samples of seed 9 are of class blue, needed are 5" in of(
        "dark", "blue", num=5, seed=9, limit=250)
    assert "of class dark, needed are 200" in of("dark", "grey", limit=150)


@pytest.fixture
def direction():
    return directions.of_classes(Generator(), Classifier(), "dark", "bright", num=9)


def test_a_file_gives_back_the_same_direction(direction, tmp_path):
    path = tmp_path / "new" / "bright é.json"
    directions.save(path, direction)
    found = directions.load(path, Generator(name="moved"))
    assert found.vector.dtype == np.float32 and found.vector.tobytes() == direction.vector.tobytes()
    for name in ("module", "module_hash", "meaning", "info"):
        assert getattr(found, name) == getattr(direction, name)
    assert [file.name for file in path.parent.iterdir()] == [path.name]
    before = path.read_bytes()
    directions.save(path, found)
    assert path.read_bytes() == before


def test_a_file_for_another_module_is_refused(direction, tmp_path):
    path = tmp_path / "d.json"
    directions.save(path, direction)
    message = refusal(directions.load, path, Generator(latent_size=9))
    assert "size 6" in message and "have 9" in message
    message = refusal(directions.load, path, Generator(name="n/2", hash="cd" * 32))
    assert "m/1 (abababab)" in message and "n/2 (cdcdcdcd)" in message
    directions.load(path, Generator(name="moved"))


@pytest.mark.parametrize("damage, reason", [
    (lambda text: text[:-5], "no JSON"),
    (lambda text: "[1, 2]", "format"),
    (lambda text: text.replace("direction 1", "direction 99"), "format"),
    (lambda text: text.replace('"meaning"', '"moaning"'), "meaning"),
    (lambda text: text.replace('"module": "m/1"', '"module": 1'), "module"),
    (lambda text: changed(text, lambda vector: vector[:-1]), "latent_size"),
    (lambda text: changed(text, lambda vector: [*vector[:-1], "1.0"]), "finite numbers"),
    (lambda text: changed(text, lambda vector: [*vector[:-1], float("nan")]), "finite numbers"),
    (lambda text: changed(text, lambda vector: [*vector[:-1], 1e39]), "finite numbers"),
    (lambda text: changed(text, lambda vector: None), "vector"),
])
def test_a_damaged_file_is_refused(direction, tmp_path, damage, reason):
    path = tmp_path / "d.json"
    directions.save(path, direction)
    path.write_text(damage(path.read_text(encoding="utf-8")), encoding="utf-8")
    message = refusal(directions.load, path, Generator())
    assert str(path) in message and "damaged" in message and reason in message


def changed(text, change):
    values = json.loads(text)
    return json.dumps({**values, "vector": change(values["vector"])})


def test_files_that_cannot_be_read_or_written_are_refused(direction, tmp_path):
    assert "No such file" in refusal(directions.load, tmp_path / "none.json", Generator())
    (tmp_path / "binary.json").write_bytes(b"\xff\xfe\x00")
    assert "no JSON" in refusal(directions.load, tmp_path / "binary.json", Generator())
    (tmp_path / "file").write_text("")
    assert "cannot write" in refusal(directions.save, tmp_path / "file" / "d.json", direction)
    assert "cannot write" in refusal(directions.save, tmp_path, direction)
