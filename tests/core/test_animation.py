"""Animations: what Pillow reads back of them."""
import io
import pathlib

import numpy as np
import pytest
from PIL import Image

from tf2gan.core import animation, files
from tf2gan.core.errors import UserError


def read(source):
    """(frames uint8 [num, height, width, 3], [duration], loop) of an animation."""
    frames, durations = [], []
    with Image.open(source) as image:
        for index in range(image.n_frames):
            image.seek(index)
            image.load()
            frames.append(np.asarray(image.convert("RGB")))
            durations.append(image.info["duration"])
        return np.stack(frames), durations, image.info["loop"]


def encoded(frames, suffix, milliseconds=50):
    return read(io.BytesIO(animation.encode(frames, suffix, milliseconds)))


def noise(*shape):
    return np.random.default_rng(0).integers(0, 256, shape, np.uint8)


@pytest.mark.parametrize("suffix", [".gif", ".webp", ".GIF"])
@pytest.mark.parametrize("channels", [1, 3])
def test_grey_frames_come_back_exactly(suffix, channels):
    frames = noise(7, 20, 30, 1)
    frames[0] = np.arange(600).reshape(20, 30, 1) % 256  # every grey there is
    frames[1] = 17  # and a single one
    frames[3, 5:9] = frames[2, 5:9]  # of which encoders leave out what has not changed
    found, durations, loop = encoded(frames.repeat(channels, axis=-1), suffix)
    np.testing.assert_array_equal(found, frames.repeat(3, axis=-1))
    assert durations == [50] * 7 and loop == 0


def test_colours_come_back_exactly_from_webp():
    frames = noise(5, 16, 12, 3)
    found, durations, loop = encoded(frames, ".webp", 33)
    np.testing.assert_array_equal(found, frames)
    assert len(durations) == 5 and loop == 0


def test_up_to_256_colours_come_back_exactly_from_gif():
    colours = noise(4, 256, 3)  # others in each frame
    which = np.random.default_rng(1).integers(0, 256, [4, 24, 24])
    frames = np.stack([palette[index] for palette, index in zip(colours, which)])
    frames[1], frames[2, :, :9] = (1, 2, 3), (200, 100, 3)
    found, durations, _ = encoded(frames, ".gif", 120)
    np.testing.assert_array_equal(found, frames)
    assert durations == [120] * 4


def test_of_more_colours_a_gif_keeps_good_ones_for_each_frame():
    """Frames of quite different colours, which one palette for all could not do justice to."""
    y, x = np.mgrid[:64, :64] / 63
    frames = np.stack([np.stack([255 * (x * (1 - t) + t * y), 255 * y * (1 - t), 255 * (t + (1 - t) * x * y)], axis=-1)
                       for t in np.linspace(0, 0.9, 6)])
    frames = np.rint(frames).astype(np.uint8)
    assert all(len(np.unique(frame.reshape(-1, 3), axis=0)) > 1000 for frame in frames)
    found, _, _ = encoded(frames, ".gif")
    assert len(found) == 6
    error = np.abs(found.astype(np.float64) - frames).mean()
    together = Image.fromarray(frames.reshape(-1, 64, 3)).quantize(256)
    of_one = np.asarray(together.convert("RGB")).reshape(frames.shape)
    of_one_palette = np.abs(of_one.astype(np.float64) - frames).mean()
    assert 0 < error < 0.6 * of_one_palette


@pytest.mark.parametrize("suffix", animation.SUFFIXES)
def test_frames_that_are_equal_keep_their_time_and_a_single_one_is_enough(suffix):
    frames = noise(4, 8, 8, 1)
    frames[2] = frames[1]
    found, durations, _ = encoded(frames, suffix)
    assert {len(found), sum(durations)} <= {3, 4, 200, 250}
    np.testing.assert_array_equal(found[-1], frames[-1].repeat(3, axis=-1))
    with Image.open(io.BytesIO(animation.encode(frames[:1], suffix, 50))) as image:
        np.testing.assert_array_equal(np.asarray(image.convert("L")), frames[0, ..., 0])


@pytest.mark.parametrize("fps, gif, webp", [
    (20, 50, 50), (50, 20, 20), (25, 40, 40), (30, 30, 33), (24, 40, 42), (12.5, 80, 80), (0.1, 10000, 10000)])
def test_the_time_of_a_frame_is_what_the_format_can_say(fps, gif, webp):
    assert (animation.delay(fps, ".gif"), animation.delay(fps, ".webp")) == (gif, webp)
    _, durations, _ = encoded(noise(3, 4, 4, 1), ".gif", gif)
    assert durations == [gif] * 3


@pytest.mark.parametrize("fps", [0, -1, 51, 0.01, float("nan"), float("inf")])
def test_other_rates_are_refused(fps):
    with pytest.raises(UserError, match="frames a second: must be from 0.1 to 50"):
        animation.delay(fps, ".gif")


def test_other_suffixes_and_frames_are_refused():
    for refuse in (lambda: animation.encode(noise(2, 4, 4, 1), ".png", 50), lambda: animation.delay(20, ".png")):
        with pytest.raises(UserError, match="unknown suffix of an animation '.png': .*possible: .gif, .webp"):
            refuse()
    for frames in (noise(4, 4, 1), noise(2, 4, 4, 2), noise(0, 4, 4, 1), noise(2, 4, 4, 1).astype(np.float32)):
        with pytest.raises(ValueError, match="frames are uint8"):
            animation.encode(frames, ".gif", 50)
    for suffix, width in ((".webp", 16384), (".gif", 65536)):
        with pytest.raises(UserError, match=f"cannot write {width} x 1 pixels as {suffix}"):
            animation.encode(noise(2, 1, width, 1), suffix, 50)


def test_a_file_is_written_whole_or_not_at_all(tmp_path, monkeypatch):
    path = tmp_path / "deep" / "walk.gif"
    frames = noise(3, 8, 8, 1)
    animation.write(path, frames, 50)
    np.testing.assert_array_equal(read(path)[0], frames.repeat(3, axis=-1))
    before = path.read_bytes()

    def full(*arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files.os, "replace", full)
    with pytest.raises(UserError, match="cannot write .*walk.gif: No space left on device"):
        animation.write(path, noise(3, 9, 9, 1), 50)
    assert path.read_bytes() == before and [p.name for p in pathlib.Path(path.parent).iterdir()] == ["walk.gif"]
