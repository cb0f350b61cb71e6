"""The options of tools/interpolate.py: what they mean, and which are refused whatever the generator."""
import pathlib

import pytest

from tf2gan.core.errors import UserError
from tf2gan.latent_space.walk_options import Options, seeds


def options(text):
    """Options of flags, as a user types them; those without a value are true."""
    values = {}
    for part in text.split("--")[1:]:
        name, _, value = part.strip().partition(" ")
        name = name.replace("-", "_")
        kind = str(Options.__dataclass_fields__[name].type)
        values[name] = True if "bool" in kind else int(value) if "int" in kind else (
            float(value) if "float" in kind else value)
    return Options(**values)


@pytest.mark.parametrize("text, kind, target, frames", [
    ("", "walk", "interpolation.gif", 30), ("--output a.PNG", "walk", "a.PNG", 8), ("--frames 5", "walk",
                                                                                    "interpolation.gif", 5),
    ("--corners", "corners", "interpolation.png", 6), ("--project a.png", "project", "interpolation.png", 8),
    ("--project a.png --output b.webp", "project", "b.webp", 40),
    ("--direction d", "direction", "interpolation.gif", 15),
    ("--project a.png --steps 3", "project", "interpolation.png", 4),
    ("--direction d --output e.jpg", "direction", "e.jpg", 4),
    ("--direction d --project a.png", "direction", "interpolation.gif", 15),
    ("--save-direction d --from-seeds 1 --to-seeds 2 --output a.gif", "direction", "a.gif", 15)])
def test_what_is_shown_where_and_in_how_many_frames(text, kind, target, frames):
    chosen = options(text)
    chosen.check()
    assert (chosen.kind, chosen.target, chosen.num_frames) == (kind, pathlib.Path(target), frames)
    assert chosen.animated == (chosen.target.suffix in (".gif", ".webp"))


def test_a_direction_that_is_only_saved_has_no_picture():
    chosen = options("--save-direction d.json --from-seeds 1,2 --to-seeds 3")
    chosen.check()
    assert chosen.target is None and not chosen.animated


def test_stops():
    assert options("").stops == [1, 2, 3, 4, 5, 6] and options("").closed
    assert options("--corners").stops == [1, 2, 3, 4]
    assert options("--seeds 7,0,7").stops == [7, 0, 7] and not options("--seeds 7,0,7").closed
    assert options("--seeds 7,0 --loop").closed
    assert not options("--latents a.npy").closed and options("--latents a.npy --loop").closed
    assert seeds("seeds", "9223372036854775807") == [2 ** 63 - 1]


@pytest.mark.parametrize("text, milliseconds", [("", 50), ("--fps 24", 40), ("--fps 24 --output a.webp", 42)])
def test_delay(text, milliseconds):
    assert options(text).delay == milliseconds


SAVE = "--save-direction d.json --from-seeds 1 --to-seeds 2"


@pytest.mark.parametrize("text, part", [
    ("--module a --run b", "only one of --module and --run"),
    ("--seeds 1,2 --latents a.npy", "only one of --seeds and --latents"),
    ("--seeds 1 --project a.png", "only one of --seeds and --project"),
    ("--latents a.npy --project a.png", "only one of --latents and --project"),
    ("--mode linear --direction d", "only one of --mode and --direction"),
    ("--mode linear --project a.png", "only one of --mode and --project"),
    ("--corners --direction d", "only one of --corners and --direction"),
    ("--corners --project a.png", "only one of --corners and --project"),
    ("--corners --loop", "only one of --corners and --loop"),
    (f"{SAVE} --direction e", "only one of --direction and --save-direction"),
    (f"{SAVE} --classifier c", "only one of --from-seeds and --classifier"),
    ("--checkpoint best", "--checkpoint: is for --run"),
    ("--strength 2", "--strength: is for --direction or --save-direction"),
    ("--steps 2", "--steps: is for --project"), ("--starts 2", "--starts: is for --project"),
    ("--seed 2", "--seed: is for --project or --classifier"),
    ("--from-seeds 2", "--from-seeds: is for --save-direction"),
    ("--to-seeds 2", "--to-seeds: is for --from-seeds"),
    ("--classifier c", "--classifier: is for --save-direction"),
    ("--from-class c", "--from-class: is for --classifier"), ("--to-class c", "--to-class: is for --classifier"),
    ("--save-direction d", "needs --from-seeds and --to-seeds, or --classifier, --from-class and --to-class"),
    ("--save-direction d --from-seeds 1", "needs --from-seeds and --to-seeds, or"),
    ("--save-direction d --classifier c --to-class 1", "needs --from-seeds and --to-seeds, or"),
    (f"{SAVE} --frames 3", "--frames: is for an --output"), (f"{SAVE} --seeds 3", "--seeds: is for an --output"),
    (f"{SAVE} --project a.png", "--project: is for an --output"),
    ("--corners --output a.gif", "--corners: makes a picture, such as grid.png, not .gif"),
    ("--project a.png --loop", "--loop: is for a walk"),
    ("--direction d --output a.png --loop", "--loop: is for an animation"),
    ("--output a.png --fps 3", "--fps: is for an animation: --output with .gif or .webp"),
    ("--seeds 1", "a walk needs two stops or more"), ("--seeds 1 --loop", "a walk needs two stops or more"),
    ("--seeds 1,b", "--seeds 1,b: must be seeds with commas between, such as 1,2,3"), ("--seeds 1,", "must be seeds"),
    ("--seeds -1,2", "must be seeds"), ("--seeds 1.5,2", "must be seeds"),
    ("--seeds 1,9223372036854775808", "--seeds 9223372036854775808: must be from 0"),
    ("--save-direction d --from-seeds x --to-seeds 1", "--from-seeds x: must be seeds"),
    ("--save-direction d --from-seeds 1 --to-seeds x", "--to-seeds x: must be seeds"),
    ("--corners --seeds 1,2,3", "--corners: needs four stops, not 3"),
    ("--frames 0", "--frames 0: must be from 1 to 10000"), ("--frames -3", "--frames -3"),
    ("--project a.png --frames 1", "--frames 1: must be from 2"),
    ("--project a.png --frames 302", "--frames 302: a descent of 300 --steps has at most 301"),
    ("--frames 2000", "12000 images: at most 10000"), ("--corners --frames 100", "10201 images"),
    ("--direction d --seeds 1,2 --frames 3000", "12002 images"),
    ("--num 5", "--num: is for --classifier"),
    ("--fps 0", "0 frames a second: must be from 0.1 to 50"), ("--fps 60", "60 frames a second"),
    ("--fps nan", "nan frames"),
    ("--scale 0", "--scale 0: must be from 1 to 64"), ("--project a.png --steps 0", "--steps 0: must be from 1"),
    ("--project a.png --starts 0", "--starts 0: must be from 1"), ("--project a.png --seed -1", "--seed -1: must be"),
    ("--direction d --strength 0", "--strength 0: must be above 0"), ("--direction d --strength inf", "finite"),
    ("--direction d --strength -2", "--strength -2: must be above 0"),
    ("--save-latents a.txt", "--save-latents a.txt: must end in .npy")])
def test_what_makes_no_sense_is_one_line(text, part):
    with pytest.raises(UserError) as caught:
        options(text).check()
    assert part in str(caught.value) and "\n" not in str(caught.value)
