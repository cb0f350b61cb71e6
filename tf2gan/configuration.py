"""From what was typed, a file, a preset or an earlier run to one frozen Config, always through the same flags."""
import dataclasses
import difflib
import json
import os
import pathlib
from typing import Optional

from tf2gan import cli, watching
from tf2gan.errors import UserError, unknown
from tf2gan.gans import GANS, NAMES
from tf2gan.runs import Run
from tf2gan.training import Options

LENGTHS = ("steps", "images", "epochs")


@dataclasses.dataclass
class Request:
    """What one command line of tools/train.py asks for."""

    gan_class: type
    model: str
    preset: str
    config: object
    options: Options
    run: Optional[Run]  # to resume
    arguments: object  # the flags that are no option of a run


@dataclasses.dataclass
class Arguments:
    """What to do"""

    model: Optional[str] = None  # the method, one of those that --list shows
    preset: Optional[str] = None  # a named set of defaults of the method
    resume: Optional[str] = None  # go on with the run in this folder
    config: Optional[str] = None  # JSON file of options, such as a run's config.json; flags win over it
    print_config: bool = False  # print the resolved configuration as JSON and stop
    dry_run: bool = False  # print configuration, networks, memory, images and steps, and stop
    list: bool = False  # list methods, presets and built-in data sets, and stop


def flag(field_name: str) -> str:
    """The flag of a field: cycle_weight -> --cycle-weight."""
    return "--" + field_name.replace("_", "-")


def parse(argv) -> Request:
    """Resolves a command line of tools/train.py. Raises UserError for anything that cannot be."""
    outer, rest = _outer_parser().parse_known_args(cli.normalized(argv))
    arguments = outer.arguments
    for name in ("model", "preset", "resume", "config"):
        if flag(name) in argv and getattr(arguments, name) is None:
            raise UserError(f"{flag(name)}: expected one argument")
    if arguments.resume and arguments.config:
        raise UserError("--config cannot be given with --resume: a run keeps its configuration")
    run, values, source = None, {}, None
    if arguments.resume:
        run = Run(arguments.resume)
        if any(arg.split("=")[0] == "--run-dir" for arg in argv):
            raise UserError("--run-dir cannot be given with --resume: a run stays in its folder")
        values, source = _flat(run.record), run.path / "config.json"
    elif arguments.config:
        source = pathlib.Path(arguments.config)
        values = _flat(_read(source))
    from_file = {name: values.pop(name, None) for name in ("model", "preset")}
    if str(from_file["model"]) in NAMES:
        from_file["model"], preset = NAMES[from_file["model"]]
        from_file["preset"] = from_file["preset"] or preset
    typed_model = arguments.model
    if typed_model in NAMES:  # such as gan-deep, a preset of gan
        arguments.model, preset = NAMES[typed_model]
        if arguments.preset is None and typed_model != arguments.model:
            arguments.preset = preset
        elif typed_model not in (arguments.model, arguments.preset):
            raise UserError(f"--model {typed_model} contradicts --preset {arguments.preset}: give one of them")
    if run and arguments.model not in (None, from_file["model"]):
        raise UserError(f"--model {typed_model} contradicts the run {run.path}, which is of {from_file['model']}")
    model = arguments.model or from_file["model"]
    if model is None:
        if arguments.list or any(name in argv for name in ("-h", "--help")):
            _parser().parse_args(argv)
            return Request(None, None, None, None, None, None, arguments)
        if rest and difflib.get_close_matches(rest[0], ["--model", "--resume", "--config"]):
            _parser().parse_args(argv)  # tells the nearest flag
        raise UserError(f"--model is needed: possible: {', '.join(NAMES)}")
    if str(model) not in GANS:
        raise unknown("model", str(model), NAMES)
    gan_class = GANS[model]
    preset = arguments.preset or from_file["preset"] or next(iter(gan_class.presets))
    if str(preset) not in gan_class.presets:
        raise unknown(f"preset of {model}", str(preset), gan_class.presets)
    if run and arguments.preset not in (None, from_file["preset"]):
        raise UserError(f"--preset {preset} contradicts the run {run.path}: it has {from_file['preset']}")
    typed = {name for name in LENGTHS if any(arg.split("=")[0] == flag(name) for arg in argv)}
    for name in LENGTHS if typed else ():
        values.pop(name, None)
    parser = _parser(gan_class, preset)
    if values:
        _parse(parser, gan_class, values, source)  # so that an error says that it is the file's
    parsed = parser.parse_args(_as_flags(values) + cli.normalized(argv))
    given = typed | {name for name in LENGTHS if values.get(name) is not None}
    config = _one_length(parsed.method, given)
    if os.path.isdir(config.dataset):  # a resume may start from another folder
        config = dataclasses.replace(config, dataset=os.path.abspath(config.dataset))
    if run:
        _check_unchanged(run, config, parsed.options)
    return Request(gan_class, model, preset, config, parsed.options, run, parsed.arguments)


def from_record(record: dict):
    """(GAN class, Config) of a run's config.json. Raises UserError if they do not fit this version."""
    if record["model"] not in GANS:
        raise unknown("model", record["model"], GANS)
    gan_class = GANS[record["model"]]
    values = {name: value for name, value in record["config"].items()}
    parsed = _parse(_parser(gan_class), gan_class, values, "config.json")
    return gan_class, dataclasses.replace(parsed.method, **{name: values.get(name) for name in LENGTHS})


def _outer_parser():
    parser = cli.Parser(add_help=False)
    parser.add_arguments(Arguments, "arguments")
    return parser


def _parser(gan_class=None, preset=None):
    parser = cli.Parser(description="Trains a GAN. With --model NAME, --help lists the method's own options too.")
    parser.add_arguments(Arguments, "arguments")
    options = gan_class.preset_options.get(preset, {}) if gan_class else {}
    parser.add_arguments(Options, "options", default=Options(**options))
    if gan_class:
        parser.add_arguments(gan_class.Config, "method", default=gan_class.presets.get(preset, gan_class.Config()))
    return parser


def _as_flags(values: dict) -> list:
    args = []
    for name, value in values.items():
        args += [flag(name)] if value is None else [flag(name), str(value)]
    return args


def _parse(parser, gan_class, values, source):
    types = {field.name: str(field.type) for cls in (gan_class.Config, Options) for field in dataclasses.fields(cls)}
    for name, value in values.items():
        if name not in types:
            raise UserError(f"{source}: {unknown('option', name, types)}")
        if isinstance(value, (list, dict)) or value is None and "Optional" not in types[name]:
            raise UserError(f"{source}: {flag(name)}: {json.dumps(value)} is not possible")
    try:
        return parser.parse_args(_as_flags(values))
    except UserError as error:
        raise UserError(f"{source}: {error}") from error


def _read(path) -> dict:
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, ValueError) as error:
        raise UserError(f"--config {path}: {getattr(error, 'strerror', None) or f'not JSON: {error}'}") from error
    if not isinstance(record, dict):
        raise UserError(f"--config {path}: a JSON object of options is needed")
    return record


def _flat(record: dict) -> dict:
    """Options by name, of a run's config.json, of what --print-config prints, or of a plain object of options."""
    if isinstance(record.get("config"), dict) and isinstance(record.get("options", {}), dict):
        known = {name: record.get(name) for name in ("model", "preset")}
        # Where a run lies is not a property to hand on.
        options = {name: value for name, value in record.get("options", {}).items() if name != "run_dir"}
        return {**known, **record["config"], **options}
    return dict(record)


def _one_length(config, given):
    if len(given) > 1:
        raise UserError(f"give only one of {', '.join(flag(name) for name in LENGTHS if name in given)}")
    if given:
        config = dataclasses.replace(config, **{name: None for name in LENGTHS if name not in given})
    lengths = [getattr(config, name) for name in LENGTHS if getattr(config, name) is not None]
    if len(lengths) != 1 or lengths[0] < 1:
        raise UserError("the length of training must be at least 1: give one of --steps, --images, --epochs")
    return config


def _check_unchanged(run, config, options):
    """Totals and options of the machine may change in a resume; what the numbers depend on may not."""
    lacking = [field.name for field in dataclasses.fields(config) if field.name not in run.record["config"]]
    if lacking:
        raise UserError(f"{run.path / 'config.json'}: lacks {', '.join(lacking)}; it cannot be gone on with by this "
                        "version, only used")
    # An option of the run that is newer than the run was off then, which is its default.
    options_then = {**dataclasses.asdict(Options()), **run.record["options"]}
    # A curve is of one protocol; a run that was not yet evaluated has none.
    fixed = ["precision", *(watching.PROTOCOL if options_then["evaluate_every"] else ())]
    for names, now, then in (([field.name for field in dataclasses.fields(config) if field.name not in LENGTHS],
                              config, run.record["config"]), (fixed, options, options_then)):
        for name in names:
            if getattr(now, name) != then[name]:
                raise UserError(f"{flag(name)} {getattr(now, name)} contradicts the run {run.path}: it has "
                                f"{then[name]}; start a new run to change it")
