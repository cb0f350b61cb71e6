"""Options of tools/interpolate.py, and which of them exclude or need each other. Needs no networks."""
import dataclasses
import math
import pathlib
import re
from typing import List, Literal, Optional

from tf2gan.core import animation
from tf2gan.core.errors import UserError

MOST_IMAGES, HIGHEST_SEED, LARGEST_SCALE = 10000, 2 ** 63 - 1, 64
SEEDS, CORNERS = [1, 2, 3, 4, 5, 6], [1, 2, 3, 4]
FPS = 20.0
# {kind of work: (frames of an animation, frames of a picture)}
FRAMES = {"walk": (30, 8), "corners": (None, 6), "direction": (15, 4), "project": (40, 8)}
# {option: the options that exclude it}
_CLASHES = {"module": ("run",), "picture": ("label", "project", "classifier"), "seeds": ("latents", "project"),
            "latents": ("project",), "from_seeds": ("classifier",),
            "mode": ("direction", "save_direction", "project"), "direction": ("save_direction",),
            "corners": ("direction", "save_direction", "project", "loop")}
# {option: the options of which it needs one}
_BELONGS = {"checkpoint": ("run",), "translate": ("picture",), "strength": ("direction", "save_direction"),
            "steps": ("project",), "starts": ("project",), "loss": ("project",), "seed": ("project", "classifier"),
            "from_seeds": ("save_direction",), "to_seeds": ("from_seeds",), "classifier": ("save_direction",),
            "from_class": ("classifier",), "num": ("classifier",), "to_class": ("classifier",)}
_OF_OUTPUT = ("seeds", "latents", "project", "frames", "loop", "strength", "fps", "scale", "save_latents")


@dataclasses.dataclass
class Options:
    """Where to walk, with which generator, and what to write."""

    output: Optional[str] = None  # .gif, .webp: animation; .png and so on: picture; none: interpolation.gif or .png
    module: Optional[str] = None  # https:// handle, TF1 hub module, SavedModel or savedmodels/NAME; none: see above
    run: Optional[str] = None  # folder of a run, as tools/train.py writes it; instead of --module
    checkpoint: Optional[str] = None  # of the run: latest, best (of --keep-best), or its images seen; none: latest
    label: Optional[str] = None  # the class of a conditional model, by name or number
    picture: Optional[str] = None  # IMAGE to translate, with a model that has styles: seeds and latents are of styles
    translate: Optional[Literal["a2b", "b2a"]] = None  # which way to translate --picture; none: a2b
    seeds: Optional[str] = None  # stops, such as 1,2,3: first latent of each; none: 1 to 6 and back; --corners: 1 to 4
    latents: Optional[str] = None  # FILE.npy from --save-latents, [num, latent_size]: stops instead of --seeds
    mode: Optional[Literal["linear", "spherical", "hypersphere"]] = None  # none: spherical; linear for uniform latents
    frames: Optional[int] = None  # images from each stop up to the next; none: 15 to 40, in a picture 4 to 8
    loop: bool = False  # also from the last stop back to the first; animation with --direction: back and forth
    corners: bool = False  # a picture of the grid between four stops, --frames steps wide and high
    direction: Optional[str] = None  # FILE from --save-direction: from each stop --frames steps along it, both ways
    strength: Optional[float] = None  # how far to go each way, in lengths of the direction; none: 1
    project: Optional[str] = None  # IMAGE whose latent to find; --frames: images of the descent, both ends included
    steps: Optional[int] = None  # gradient descent steps of --project; none: 300
    starts: Optional[int] = None  # random starts of --project, the best of which is kept; none: 4
    loss: Optional[Literal["pixels", "perceptual"]] = None  # what --project minimizes; none: pixels
    save_direction: Optional[str] = None  # FILE.json to write the direction from one group of latents to another
    from_seeds: Optional[str] = None  # first group, such as 1,2,3: the first latent of each seed
    to_seeds: Optional[str] = None  # second group, in the same form
    classifier: Optional[str] = None  # savedmodels/NAME of a classifier that finds the groups among samples
    from_class: Optional[str] = None  # class of the first group, by name or number
    to_class: Optional[str] = None  # class of the second group, by name or number
    num: Optional[int] = None  # latents of each class to average, with --classifier; none: 200
    seed: Optional[int] = None  # seed of the starts of --project, or of the samples for --classifier; none: 0
    save_latents: Optional[str] = None  # FILE.npy for the latents of the images, in order; --project: the latent found
    fps: Optional[float] = None  # images per second of an animation; GIF can have 50, 33.3, 25, 20 ...; none: 20
    scale: Optional[int] = None  # enlarge images by this factor; none: so that they have 128 pixels
    overwrite: bool = False  # replace existing output files

    @property
    def kind(self):
        """What is shown: "direction", "project", "corners" or "walk"."""
        if self.direction is not None or self.save_direction is not None:
            return "direction"
        return "project" if self.project is not None else "corners" if self.corners else "walk"

    @property
    def target(self):
        """The pathlib.Path of the output; None if a direction is only saved."""
        if self.output is None and self.save_direction is not None:
            return None
        still = self.kind in ("corners", "project")
        return pathlib.Path(self.output or f"interpolation.{'png' if still else 'gif'}")

    @property
    def animated(self):
        return self.target is not None and self.target.suffix.lower() in animation.SUFFIXES

    @property
    def num_frames(self):
        if self.frames is not None:
            return self.frames
        usual = FRAMES[self.kind][not self.animated]
        return min(usual, self.num_steps + 1) if self.kind == "project" else usual

    @property
    def num_steps(self):
        """Number of steps of the descent."""
        if self.steps is not None:
            return self.steps
        from tf2gan.latent_space import projection  # needs TensorFlow, which --help does not

        return projection.STEPS

    @property
    def stops(self) -> List[int]:
        """Seeds of the stops."""
        if self.seeds is None:
            return CORNERS if self.corners else SEEDS
        return seeds("seeds", self.seeds)

    @property
    def closed(self):
        """Whether a walk ends where it began: with --loop, and without any stops given."""
        return self.loop or self.seeds is None and self.latents is None

    @property
    def delay(self):
        """Duration of a frame of an animation in ms."""
        return animation.delay(FPS if self.fps is None else self.fps, self.target.suffix)

    def check(self):
        """Raises UserError for what is wrong with any generator."""
        self._check_together()
        for name, least, most in (("frames", 2 if self.kind == "project" else 1, MOST_IMAGES), ("steps", 1, 10 ** 6),
                                  ("starts", 1, 1000), ("num", 1, MOST_IMAGES), ("seed", 0, HIGHEST_SEED),
                                  ("scale", 1, LARGEST_SCALE)):
            value = getattr(self, name)
            if value is not None and not least <= value <= most:
                raise UserError(f"--{name} {value}: must be from {least} to {most}")
        if self.kind == "project" and self.num_frames > self.num_steps + 1:
            raise UserError(f"--frames {self.frames}: a descent of {self.num_steps} --steps has at most "
                            f"{self.num_steps + 1}")
        if self.strength is not None and not (math.isfinite(self.strength) and self.strength > 0):
            raise UserError(f"--strength {self.strength:g}: must be above 0, and finite")
        for name in ("from_seeds", "to_seeds"):
            if getattr(self, name) is not None:
                seeds(name, getattr(self, name))
        if self.save_latents is not None and pathlib.Path(self.save_latents).suffix.lower() != ".npy":
            raise UserError(f"--save-latents {self.save_latents}: must end in .npy")
        if self.picture is not None and self.module is None and self.run is None:
            raise UserError(f"--picture {self.picture}: give the model that translates it, --module or --run")
        if self.target is not None and self.latents is None:
            self.check_stops(1 if self.project is not None else len(self.stops))
        if self.animated:
            self.delay

    def check_stops(self, num):
        """Raises UserError for a wrong number of stops, and for too many images."""
        if self.kind == "corners" and num != 4:
            raise UserError(f"--corners: needs four stops, not {num}: top left, top right, bottom left, bottom right")
        if self.kind == "walk" and num < 2:
            raise UserError("a walk needs two stops or more, such as --seeds 1,2")
        images = self.num_images(num)
        if images > MOST_IMAGES:
            raise UserError(f"{images} images: at most {MOST_IMAGES} are possible; give fewer --frames, or fewer stops")

    def num_images(self, num_stops):
        """Number of images that are shown, at most."""
        frames = self.num_frames
        return {"walk": num_stops * frames, "corners": (frames + 1) ** 2, "direction": num_stops * (2 * frames + 1),
                "project": frames}[self.kind]

    def _check_together(self):
        given = {name for name, value in vars(self).items() if value is not None and value is not False}
        for name, others in _CLASHES.items():
            for other in others:
                if {name, other} <= given:
                    raise UserError(f"give only one of {_flag(name)} and {_flag(other)}")
        for name, others in _BELONGS.items():
            if name in given and not given & set(others):
                raise UserError(f"{_flag(name)}: is for {' or '.join(map(_flag, others))}")
        if self.save_direction is not None and not ({"from_seeds", "to_seeds"} <= given
                                                    or {"classifier", "from_class", "to_class"} <= given):
            raise UserError("--save-direction: needs --from-seeds and --to-seeds, or --classifier, --from-class and "
                            "--to-class")
        of_output = [name for name in _OF_OUTPUT if name in given]
        if self.target is None and of_output:
            raise UserError(f"{_flag(of_output[0])}: is for an --output, which --save-direction makes only if asked to")
        if self.kind == "corners" and self.animated:
            raise UserError(f"--corners: makes a picture, such as grid.png, not {self.target.suffix}")
        if self.loop and self.kind == "project":
            raise UserError("--loop: is for a walk; the way of --project does not lead back")
        for name in ("fps", *(["loop"] if self.kind == "direction" else [])):
            if name in given and not self.animated:
                raise UserError(f"{_flag(name)}: is for an animation: --output with {' or '.join(animation.SUFFIXES)}")


def seeds(name, text):
    """[int] from an option's comma-separated seeds. Raises UserError."""
    if not re.fullmatch(r"[0-9]+(,[0-9]+)*", text):
        raise UserError(f"{_flag(name)} {text}: must be seeds with commas between, such as 1,2,3")
    found = [int(seed) for seed in text.split(",")]
    if max(found) > HIGHEST_SEED:
        raise UserError(f"{_flag(name)} {max(found)}: must be from 0 to {HIGHEST_SEED}")
    return found


def _flag(name):
    return f"--{name.replace('_', '-')}"
