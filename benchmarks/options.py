"""Options of benchmarks/benchmark.py, and the jobs that follow from them."""
import dataclasses
import pathlib
from typing import List, Optional

from benchmarks import data, process
from tf2gan.core import files
from tf2gan.core.errors import UserError, unknown
from tf2gan.gans import GANS

MODELS = ["cyclegan", "dcgan"]
PRECISIONS = ["float32", "bfloat16"]
BASELINES = ["book", "plain", "torch"]
# Models that are timed with another preset than their first: the networks that books and PyTorch programs have.
PRESETS = {"cyclegan": "book"}
# {model: (image sizes, batch sizes)} of --growth
GROWTH = {"cyclegan": (("64", "128", "256"), (1, 4)), "dcgan": (("28", "32", "64"), (32, 128))}


def _all(values):
    return dataclasses.field(default_factory=values.copy)


@dataclasses.dataclass
class Options:
    """What to measure, against what, and how long"""

    model: List[str] = _all(MODELS)  # one or more models, as --model of tools/train.py takes them
    precision: List[str] = _all(PRECISIONS[:1])  # float32, bfloat16 or both
    baselines: List[str] = _all(BASELINES)  # what to compare with; none: tf2gan alone
    image_size: Optional[str] = None  # N or HEIGHTxWIDTH; none: the model's default
    batch_size: Optional[int] = None  # images of each kind in a step; none: the model's default
    rounds: int = 10  # number of rounds, in each of which every contestant has one turn
    steps: Optional[int] = None  # steps per turn; none: as many as take about a second
    torch_python: Optional[str] = None  # interpreter of another environment that has PyTorch; none: this one
    growth: bool = False  # instead: step time by batch size and image size
    memory_steps: Optional[int] = None  # instead: memory over so many steps
    profile: bool = False  # instead: step time by type of operation
    json: Optional[str] = None  # also write all results to this file

    def check(self):
        """Raises UserError for what cannot be measured."""
        for name, possible in (("model", GANS.names()), ("precision", PRECISIONS), ("baselines", BASELINES)):
            if not getattr(self, name) and name != "baselines":
                raise UserError(f"--{name}: needed: one or more of {', '.join(possible)}")
            for value in getattr(self, name):
                if value not in possible:
                    raise unknown(name.rstrip("s"), value, possible)
        for name, least in (("rounds", 1), ("steps", 1), ("batch_size", 1), ("memory_steps", 10)):
            value = getattr(self, name)
            if value is not None and value < least:
                raise UserError(f"--{name.replace('_', '-')} {value}: must be at least {least}")
        modes = [flag for flag, given in (("--growth", self.growth), ("--memory-steps", self.memory_steps is not None),
                                          ("--profile", self.profile)) if given]
        if len(modes) > 1:
            raise UserError(f"give only one of {', '.join(modes)}")
        if self.growth and (self.image_size or self.batch_size):
            raise UserError("--growth: has sizes of its own; give no --image-size and no --batch-size")
        if modes and self.baselines != BASELINES:
            raise UserError(f"--baselines: are for the comparison, not for {modes[0]}")
        for model in self.model if self.growth else ():
            if model not in GROWTH:
                raise UserError(f"--growth: is there for {', '.join(GROWTH)}, not for {model}")
        if self.torch_python is not None and not process.is_interpreter(self.torch_python):
            raise UserError(f"--torch-python {self.torch_python}: no such file")
        if self.json is not None:
            if pathlib.Path(self.json).is_dir():
                raise UserError(f"--json {self.json}: is a folder; needed: a file's name")
            files.check_writable(pathlib.Path(self.json).absolute().parent)
        for model in self.model:
            for precision in self.precision:
                self.job(model, precision)

    def job(self, model, precision, **sizes):
        """What a worker builds: see `contestants.Contestant`. `sizes`: image_size, batch_size instead of those given.

        Raises UserError for sizes that the model cannot have.
        """
        name, preset = GANS.names()[model]
        preset = PRESETS.get(model, preset)
        sizes = {"image_size": self.image_size, "batch_size": self.batch_size, **sizes}
        config = dataclasses.replace(GANS[name].presets[preset],
                                     **{key: value for key, value in sizes.items() if value is not None})
        return job_of(name, preset, config, precision)


def job_of(name, preset, config, precision):
    """The job of a method with these options, once they fit its data. Raises UserError for those it cannot have."""
    config.check()
    shape = data.shape_of(GANS[name], config)
    config = config.fitted(shape, data.CLASS_NAMES)
    config.check()
    return {"model": name, "preset": preset, "config": dataclasses.asdict(config), "precision": precision,
            "image_shape": [*config.image_shape, shape[-1]]}
