"""Image files are decoded once: what was found is known again, until a file changes."""
import os
import sqlite3
import threading

import numpy as np
import PIL
import pytest
from PIL import Image

from tf2gan.core import images
from tf2gan.data import folders, remembered

LONG_AGO = 1_600_000_000


@pytest.fixture
def read(monkeypatch, tmp_path):
    """The names of the files that are decoded, with a memory of this test's own."""
    names, original = [], images.read_image
    monkeypatch.setenv("TF2GAN_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr(images, "read_image", lambda path: (names.append(os.path.basename(path)), original(path))[1])
    return names


@pytest.fixture
def files(tmp_path):
    """Three colour images and a grey one, unchanged for long."""
    folder = tmp_path / "images"
    folder.mkdir()
    paths = []
    for number in range(4):
        pixels = np.random.default_rng(number).integers(0, 256, [5 + number, 7, 3], np.uint8)
        path = folder / f"{number}.png"
        Image.fromarray(pixels if number else pixels[..., 0]).save(path)
        os.utime(path, (LONG_AGO, LONG_AGO))
        paths.append(str(path))
    return paths


FOUND = [((5, 7, 1), None), ((6, 7, 3), None), ((7, 7, 3), None), ((8, 7, 3), None)]


def test_files_are_decoded_once(read, files):
    assert folders.inspect(files) == FOUND and sorted(read) == ["0.png", "1.png", "2.png", "3.png"]
    read.clear()
    calls = []
    assert folders.inspect(files[::-1], lambda: calls.append(1)) == FOUND[::-1] and not read and len(calls) == 4


@pytest.mark.parametrize("change", ("size", "time", "reader"))
def test_what_has_changed_is_decoded_again(change, read, files, monkeypatch):
    folders.inspect(files)
    read.clear()
    if change == "size":
        Image.new("RGB", (9, 9), "red").save(files[1])
        os.utime(files[1], (LONG_AGO, LONG_AGO))
    elif change == "time":
        os.utime(files[1], (LONG_AGO + 1, LONG_AGO + 1))
    else:
        monkeypatch.setattr(PIL, "__version__", "0.0")
    found = folders.inspect(files)
    assert found[1][0] == ((9, 9, 3) if change == "size" else (6, 7, 3))
    assert sorted(read) == (["0.png", "1.png", "2.png", "3.png"] if change == "reader" else ["1.png"])


def test_what_has_just_been_written_is_not_remembered(read, files):
    """Another change may follow at once, and leave size and time as they are."""
    os.utime(files[2])
    folders.inspect(files)
    read.clear()
    folders.inspect(files)
    assert read == ["2.png"]


def test_what_cannot_be_read_is_tried_again(read, files):
    with open(files[3], "wb") as file:
        file.write(b"no picture")
    os.utime(files[3], (LONG_AGO, LONG_AGO))
    for _ in range(2):
        read.clear()
        (shape, why), = folders.inspect(files[3:])
        assert shape is None and why and read == ["3.png"]


def test_an_interruption_keeps_what_was_read(read, files):
    def interrupt():
        if len(read) >= 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        folders.inspect(files, interrupt)
    assert remembered.recall(remembered.marks(files))


def test_thousands_and_strange_names(read, tmp_path):
    names = [f"{number} %?'\"é.png" for number in range(3 * remembered._AT_ONCE + 1)]
    marked = {name: (1, LONG_AGO) for name in names}
    remembered.remember(marked, {name: (1, number, 3) for number, name in enumerate(names)})
    assert remembered.recall(marked) == {name: (1, number, 3) for number, name in enumerate(names)}


def test_a_damaged_memory_is_said_and_all_is_read(read, files, tmp_path, capsys):
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / remembered.FILE).write_bytes(b"no database" * 100)
    assert folders.inspect(files) == FOUND and len(read) == 4
    assert f"{remembered.FILE}: what is known of image files cannot be kept there" in capsys.readouterr().err
    assert (tmp_path / "cache" / remembered.FILE).read_bytes() == b"no database" * 100


def test_no_place_for_it_is_said_and_all_is_read(read, files, tmp_path, capsys):
    (tmp_path / "cache").write_text("a file")
    assert folders.inspect(files) == FOUND and len(read) == 4
    assert "cannot be kept there" in capsys.readouterr().err


def test_two_runs_at_once(read, files):
    found = []
    threads = [threading.Thread(target=lambda: found.append(folders.inspect(files))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [FOUND] * 4
    with sqlite3.connect(remembered.cache_folder.path() / remembered.FILE) as database:
        assert database.execute("SELECT COUNT(*) FROM images").fetchone() == (4,)
