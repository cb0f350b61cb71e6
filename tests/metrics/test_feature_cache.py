"""Arrays kept between runs: whole or absent, and never for another protocol."""
import concurrent.futures
import hashlib
import json
import os
import threading

import numpy as np
import pytest

from tf2gan.core.errors import UserError
from tf2gan.metrics import cache
from tf2gan.metrics.feature_cache import cached

KEY = {"dataset": "mnist", "split": "test", "num": 10, "resize": ["bilinear", 0.1],
       "extractor": {"name": "classifier-mnist", "hash": "ab"}}
ARRAYS = {"features": np.random.default_rng(0).normal(size=[10, 4]).astype(np.float32),
          "labels": np.arange(10), "floor": np.array(0.1 + 0.2), "descriptors_28": np.zeros([0, 3], np.float16)}


def never():
    raise AssertionError("computed what is in the cache")


def entries(folder):
    return sorted((folder / "features").iterdir())


def assert_equal(one, other):
    assert list(one) == list(other)
    for name in one:
        assert one[name].dtype == other[name].dtype and one[name].shape == other[name].shape
        np.testing.assert_array_equal(one[name], other[name])


def test_what_was_made_is_kept_as_it_was(tmp_path):
    calls = []
    assert_equal(cached(KEY, lambda: calls.append(1) or ARRAYS, tmp_path), ARRAYS)
    assert_equal(cached(KEY, never, tmp_path), ARRAYS)
    assert calls == [1]
    entry, = entries(tmp_path)
    assert entry.name.startswith("mnist-") and len(entry.name) == len("mnist-") + 12
    assert sorted(os.listdir(entry)) == ["arrays.npz", "info.json"]
    info = json.loads((entry / "info.json").read_text())
    assert info == {"key": KEY, "sha256": hashlib.sha256((entry / "arrays.npz").read_bytes()).hexdigest()}


@pytest.mark.parametrize("same", [dict(reversed(list(KEY.items()))), {**KEY, "resize": ("bilinear", 0.1)}])
def test_a_key_is_what_it_says_not_how_it_is_written(tmp_path, same):
    cached(KEY, lambda: ARRAYS, tmp_path)
    assert_equal(cached(same, never, tmp_path), ARRAYS)


@pytest.mark.parametrize("change", [{"split": "train"}, {"num": 11}, {"num": None}, {"dataset": "fashion_mnist"},
                                    {"extractor": {"name": "classifier-mnist", "hash": "ac"}}, {"seed": 0}])
def test_another_protocol_has_arrays_of_its_own(tmp_path, change):
    cached(KEY, lambda: ARRAYS, tmp_path)
    other = {"features": np.ones([2, 2])}
    assert_equal(cached({**KEY, **change}, lambda: other, tmp_path), other)
    assert_equal(cached({**KEY, **change}, never, tmp_path), other)
    assert_equal(cached(KEY, never, tmp_path), ARRAYS)
    assert len(entries(tmp_path)) == 2


def test_the_key_is_compared_as_a_whole_not_by_its_hash(tmp_path):
    """Two keys whose hashes begin alike: what lies there is not taken."""
    cached(KEY, lambda: ARRAYS, tmp_path)
    other = {**KEY, "split": "train"}
    entries(tmp_path)[0].rename(cache.entry("features", "mnist", other, tmp_path))
    with pytest.raises(UserError, match="is damaged: info.json is that of another protocol; remove it to compute"):
        cached(other, never, tmp_path)


@pytest.mark.parametrize("dataset, start", [("/home/me/my photos/", "my-photos-"), ("cycle_gan/apple2orange", "apple"),
                                            ("a:b", "a-b-")])
def test_the_entry_is_named_after_the_data(tmp_path, dataset, start):
    cached({"dataset": dataset}, lambda: ARRAYS, tmp_path)
    assert entries(tmp_path)[0].name.startswith(start)


def truncate(entry):
    (entry / "arrays.npz").write_bytes((entry / "arrays.npz").read_bytes()[:-100])


def flip(entry):
    data = bytearray((entry / "arrays.npz").read_bytes())
    data[len(data) // 2] ^= 1
    (entry / "arrays.npz").write_bytes(data)


def file_instead(entry):
    for path in entry.iterdir():
        path.unlink()
    entry.rmdir()
    entry.write_text("")


@pytest.mark.parametrize("damage", [
    truncate, flip, file_instead, lambda entry: (entry / "arrays.npz").unlink(),
    lambda entry: (entry / "info.json").unlink(), lambda entry: (entry / "info.json").write_text("{"),
    lambda entry: (entry / "info.json").write_text("[]"), lambda entry: (entry / "info.json").write_text('{"key": 1}')])
def test_damage_is_told_and_not_computed_over(tmp_path, damage):
    cached(KEY, lambda: ARRAYS, tmp_path)
    entry, = entries(tmp_path)
    damage(entry)
    with pytest.raises(UserError, match="is damaged: .*; remove it to compute it anew") as error:
        cached(KEY, never, tmp_path)
    assert str(entry) in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize("failing", ["arrays.npz", "info.json"])
def test_a_full_disk_leaves_nothing(tmp_path, monkeypatch, failing):
    write = cache.files.write_atomically

    def full(path, content):
        if path.name == failing:
            raise OSError(28, "No space left on device")
        write(path, content)

    with monkeypatch.context() as patch:
        patch.setattr(cache.files, "write_atomically", full)
        with pytest.raises(UserError, match="cannot write .*mnist-.*No space left on device; TF2GAN_CACHE_DIR"):
            cached(KEY, lambda: ARRAYS, tmp_path)
    assert not list((tmp_path / "features").glob("*"))
    assert_equal(cached(KEY, lambda: ARRAYS, tmp_path), ARRAYS)


def test_what_make_raises_leaves_nothing(tmp_path):
    with pytest.raises(ZeroDivisionError):
        cached(KEY, lambda: 1 / 0, tmp_path)
    assert not list(tmp_path.rglob("*"))


@pytest.mark.parametrize("last", ["arrays.npz", "info.json"])
def test_a_kill_leaves_nothing_half(tmp_path, monkeypatch, last):
    """It stops after one of the files, and nobody cleans up: no later use of the cache stumbles over what is left."""
    write = cache.files.write_atomically

    def killed(path, content):
        write(path, content)
        if path.name == last:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(cache.files, "write_atomically", killed)
        patch.setattr(cache.shutil, "rmtree", lambda *_, **__: None)
        with pytest.raises(KeyboardInterrupt):
            cached(KEY, lambda: {"features": np.ones(3)}, tmp_path)
    left, = entries(tmp_path)
    assert left.name.startswith(".writing-") and (left / last).is_file()
    assert_equal(cached(KEY, lambda: ARRAYS, tmp_path), ARRAYS)
    assert_equal(cached(KEY, never, tmp_path), ARRAYS)


def test_another_process_may_be_faster(tmp_path):
    """Its entry appears while this one computes; both then have the same arrays."""
    faster = {"features": np.full([2], 7.0)}

    def make():
        cached(KEY, lambda: faster, tmp_path)
        return ARRAYS

    assert_equal(cached(KEY, make, tmp_path), faster)
    assert_equal(cached(KEY, never, tmp_path), faster)
    assert len(entries(tmp_path)) == 1


def test_many_at_once(tmp_path):
    """All of them compute before any of them writes."""
    barrier = threading.Barrier(8)

    def use(i):
        def make():
            barrier.wait(timeout=20)
            return {"features": np.full([1000], float(i))}

        return cached(KEY, make, tmp_path)["features"]

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        taken = list(pool.map(use, range(8)))
    assert len({tuple(set(array.tolist())) for array in taken}) == 1 and len(set(taken[0].tolist())) == 1
    assert len(entries(tmp_path)) == 1


def test_a_cache_that_cannot_be_written_is_told_before_any_work(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="is not a folder; TF2GAN_CACHE_DIR") as error:
        cached(KEY, never, tmp_path / "file")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("variable, value, place", [("TF2GAN_CACHE_DIR", "mine", "mine"),
                                                    ("HOME", "", ".cache/tf2gan")])
def test_where_the_cache_is(tmp_path, monkeypatch, variable, value, place):
    monkeypatch.delenv("TF2GAN_CACHE_DIR", raising=False)
    monkeypatch.setenv(variable, str(tmp_path / value))
    cached(KEY, lambda: ARRAYS)
    assert len(entries(tmp_path / place)) == 1


@pytest.mark.parametrize("key, arrays", [({"dataset": "a", "x": object()}, ARRAYS), ({"split": "test"}, ARRAYS),
                                         ({"dataset": "a", "x": float("nan")}, ARRAYS),
                                         ({"dataset": "a"}, {"features": np.array([None, "a"])})])
def test_what_cannot_be_kept_is_refused(tmp_path, key, arrays):
    with pytest.raises((TypeError, ValueError, KeyError)):
        cached(key, lambda: arrays, tmp_path)
    assert not list(tmp_path.rglob("*.npz"))
