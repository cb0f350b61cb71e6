"""What to train: a method, its Config, the options of the run and, for a resume, the run itself."""
import dataclasses
import os
import shlex
from typing import Any, Callable, Dict, Optional

from tf2gan.core.errors import UserError, flag, printable, unknown
from tf2gan.gans import GANS
from tf2gan.runs.record import LENGTHS
from tf2gan.runs.run_folder import Run, next_run_dir
from tf2gan.training import early_stopping
from tf2gan.training.options import Options


def _tool_to_resume(folder):
    return f"tools/train.py --resume {shlex.quote(str(folder))}"


@dataclasses.dataclass(frozen=True)
class Request:
    """A training that has not begun. `run`: the run to resume; None for a new one."""

    model: str
    preset: str
    config: Any  # the method's Config
    options: Options
    run: Optional[Run] = None
    own: Dict[str, Callable] = dataclasses.field(default_factory=dict)  # networks that the user brings, by role
    plugin: Optional[str] = None  # the file that registered the method; None: a built-in method
    command: str = ""  # what was typed, for the record
    way_back: Callable = _tool_to_resume  # from a run folder to the command that resumes the run

    @property
    def gan_class(self) -> type:
        """The class of the method."""
        return GANS[self.model]

    def next_folder(self):
        """The next free folder for a run without --run-dir, as a pathlib.Path."""
        name = self.preset if self.preset in GANS.names() else self.model
        return next_run_dir(name, self.config.dataset)

    def record(self) -> dict:
        """The part of config.json that says what was requested, as --config takes it."""
        record = {"model": self.model, "preset": self.preset, "config": dataclasses.asdict(self.config),
                  "options": dataclasses.asdict(self.options)}
        more = {"plugin": self.plugin, "own_networks": sorted(self.own)}
        return {**record, **{name: value for name, value in more.items() if value}}


def method_and_preset(model, preset=None, run=None) -> tuple:
    """Returns (name of the method, name of its preset) for the names that a user gives.

    `model` may be the name of a preset, such as gan-deep. `run`: a Run to resume; `model` and `preset` must agree with
    it. Raises UserError for unknown names and for contradictions.
    """
    of_run = dict.fromkeys(("model", "preset")) if run is None else run.record
    # Of a file they may be anything that JSON has.
    model, preset = (value if value is None or isinstance(value, str) else str(value) for value in (model, preset))
    typed = model
    if typed is None and run is None:
        raise UserError(f"--model is needed: possible: {', '.join(GANS.names())}")
    if typed is None:
        model = of_run["model"]
    elif typed in GANS.names():
        model, implied = GANS.names()[typed]
        if preset is None and typed != model:
            preset = implied
        elif typed not in (model, preset):
            raise UserError(f"--model {typed} contradicts --preset {preset}: give one of them")
    if run and model != of_run["model"]:
        raise UserError(f"--model {typed} contradicts the run {run.path}, which is of {of_run['model']}")
    if model not in GANS:
        raise unknown("model", str(model), GANS.names())
    presets = GANS.numbers(model).presets
    if run and preset not in (None, of_run.get("preset")):
        raise UserError(f"--preset {preset} contradicts the run {run.path}: it has {of_run.get('preset')}")
    preset = preset or of_run.get("preset") or next(iter(presets))
    if preset not in presets:
        raise unknown(f"preset of {model}", str(preset), presets)
    return model, preset


def defaults(model, preset, values=None) -> tuple:
    """Returns (Config, Options) of a preset, with `values`, {field: value}, in place of its own.

    A length among the values replaces the preset's, whichever of the lengths that is.
    """
    numbers, values = GANS.numbers(model), values or {}
    names = [{field.name for field in dataclasses.fields(cls)} for cls in (numbers.Config, Options)]
    if any(values.get(name) is not None for name in LENGTHS):
        values = {**dict.fromkeys(LENGTHS), **values}
    of_preset = numbers.preset_options.get(preset, {})
    if values.get("evaluate_every") == 0:  # what the preset says about evaluations goes with them
        of_preset = {name: value for name, value in of_preset.items() if name not in early_stopping.OPTIONS}
    config, options = numbers.presets[preset], Options(**of_preset)
    return (dataclasses.replace(config, **{name: value for name, value in values.items() if name in names[0]}),
            dataclasses.replace(options, **{name: value for name, value in values.items() if name in names[1]}))


def made(model, preset, config, options, run=None, given=()) -> Request:
    """A Request, checked as far as possible without data. `given`: names of the lengths that the user gave.

    Raises UserError for no length or several, and if a resume would change what the results of a run depend on.
    """
    if len(given) > 1:
        raise UserError(f"give only one of {', '.join(flag(name) for name in LENGTHS if name in given)}")
    if given:
        config = dataclasses.replace(config, **{name: None for name in LENGTHS if name not in given})
    lengths = [getattr(config, name) for name in LENGTHS if getattr(config, name) is not None]
    if len(lengths) != 1 or lengths[0] < 1:
        raise UserError("the length of training must be at least 1: give one of --steps, --images, --epochs")
    # A resume may have another working directory, and the shell does not expand `--run-dir=~/x`.
    full = {name: os.path.expanduser(getattr(options, name)) for name in ("run_dir", "data_dir")
            if getattr(options, name)}
    if "data_dir" in full:
        full["data_dir"] = os.path.abspath(full["data_dir"])
    options = dataclasses.replace(options, **full)
    if config.init_from is not None:
        config = dataclasses.replace(config, init_from=os.path.abspath(os.path.expanduser(config.init_from)))
    for name in config.data_fields:
        folder = os.path.expanduser(getattr(config, name) or "")
        if os.path.isdir(folder):
            config = dataclasses.replace(config, **{name: os.path.abspath(folder)})
        elif run and os.path.isabs(folder):
            raise UserError(f"{run.path}: its data, the folder {printable(folder)}, are not there; if they have moved, "
                            f"{flag(name)} names the new folder")
    if run:
        _check_unchanged(run, config, options)
    return Request(model, preset, config, options, run, plugin=GANS.plugin(model))


def _check_unchanged(run, config, options):
    """Raises UserError if a resume changes what the results depend on; totals and machine options may change."""
    lacking = [field.name for field in dataclasses.fields(config) if field.name not in run.record["config"]]
    if lacking:
        raise UserError(f"{run.path / 'config.json'}: lacks {', '.join(lacking)}; it cannot be gone on with by this "
                        "version, only used")
    # An option that is newer than the run was off in it, which is the default.
    options_then = {**dataclasses.asdict(Options()), **run.record["options"]}
    # All points of a curve need the same protocol; a run that was never evaluated has no curve yet.
    fixed = ["precision", *(early_stopping.PROTOCOL if options_then["evaluate_every"] else ())]
    for names, now, then in (([field.name for field in dataclasses.fields(config) if field.name not in LENGTHS],
                              config, run.record["config"]), (fixed, options, options_then)):
        for name in names:
            if name in config.data_fields and os.path.isabs(then[name]) and os.path.isdir(getattr(now, name)):
                continue  # the data may have moved; whether they are the same is checked when they are read
            if getattr(now, name) != then[name]:
                raise UserError(f"{flag(name)} {getattr(now, name)} contradicts the run {run.path}: it has "
                                f"{then[name]}; start a new run to change it")
