"""Reads and checks a run's config.json: its method and Config, and the data it was trained on."""
import dataclasses

from tf2gan.core import files
from tf2gan.core.errors import UserError, unknown
from tf2gan.core.options import typed
from tf2gan.gans import GANS
from tf2gan.runs.run_folder import Run

SEEDS = ("seed", "label_seed")
DATA_OF_TRAINING = ("train", "trainA", "trainB", "labelled", "unlabelled", "supervised")  # splits
LENGTHS = ("steps", "images", "epochs")  # fields of a Config, of which exactly one is set


def title_of(record: dict) -> str:
    """What a run is of, for people: the preset where that can be typed as a --model, else method and preset."""
    model, preset = record["model"], record.get("preset") or record["model"]
    if preset in GANS.names() or model not in GANS or preset == next(iter(GANS.numbers(model).presets)):
        return preset if preset in GANS.names() else model
    return f"{model}, preset {preset}"


def from_record(record: dict):
    """Returns (GAN class, Config) of a run's config.json. Raises UserError if they do not fit this version.

    An option that the record lacks is newer than the run. It was off in it, which is its default, or as `OLDER` says.
    """
    if record["model"] not in GANS:
        hint = f"; it is of {record['plugin']}, which --plugin loads" if record.get("plugin") else ""
        raise UserError(f"{unknown('model', record['model'], GANS)}{hint}")
    gan_class = GANS[record["model"]]
    values = typed([gan_class.Config], record["config"], "config.json")
    return gan_class, gan_class.Config(**{**dict.fromkeys(LENGTHS), **gan_class.Config.OLDER, **values})


def _data_fields(model) -> tuple:
    """The options of a method that may be paths of folders."""
    return GANS.numbers(model).Config.data_fields if model in GANS else ("dataset",)


def _off(model) -> dict:
    """{option: its value in runs that lack it} of a method; {} for one that is not known here."""
    if model not in GANS:
        return {}
    config = GANS.numbers(model).Config
    return {**{field.name: field.default for field in dataclasses.fields(config)}, **config.OLDER}


def differences(records) -> dict:
    """{option: [its value in each run]} of the settings that differ between runs, by their config.json; not seeds.

    "data" is there if they were trained on other images, "total_images" if they are of other lengths. An option that a
    method does not have is None.
    """
    def settings(record):
        # An option that is newer than this run, but not than another, was off in it, as in `from_record`.
        names = {name for other in records if other["model"] == record["model"] for name in other["config"]}
        then = {name: value for name, value in _off(record["model"]).items() if name in names}
        config = {name: value for name, value in {**then, **record["config"]}.items()
                  if name not in (*LENGTHS, *SEEDS, *_data_fields(record["model"]))}
        prints = {name: part for name, part in (record.get("fingerprints") or {}).items() if name in DATA_OF_TRAINING}
        networks = ", ".join(record.get("own_networks", ())) or None
        # Data of which nothing is known but their name are compared by it.
        return {"model": record["model"], "own_networks": networks,
                "data": (record["config"].get("dataset"), prints or record["config"].get("dataset")), **config,
                "total_images": record.get("total_images"), "precision": record["options"].get("precision", "float32")}

    found = [settings(record) for record in records]
    names = dict.fromkeys(name for each in found for name in each)
    table = {name: [each.get(name) for each in found] for name in names}
    if any(values[1] != table["data"][0][1] for values in table["data"]):
        table["data"] = [dataset for dataset, _ in table["data"]]
    else:
        del table["data"]
    return {name: values for name, values in table.items() if any(value != values[0] for value in values)}


def grouped(records) -> list:
    """The runs, by index, that differ in nothing but seeds: [[index, ...], ...] in the order of the first of each."""
    table, found = differences(records), {}
    for index in range(len(records)):
        found.setdefault(repr([values[index] for values in table.values()]), []).append(index)
    return list(found.values())


def check_outside_data(run, output, what):
    """Raises UserError if `output` lies in the folder of the training data of the run at `run`; `what`: its flag."""
    record = Run(run).record
    for name in _data_fields(record["model"]):
        files.check_outside(output, record["config"].get(name) or "", what)


def check_same_data(where, trained, splits):
    """Raises UserError if those of `splits` that a run used have changed since; `trained`: its config.json."""
    used = [name for name in splits if name in trained["data"]]
    then, now = ({name: trained["data"][name] for name in used}, {name: splits[name].num_examples for name in used})
    if then != now:
        raise UserError(f"{where}: the data have changed: the run began with {then}, now there is {now}")
    fingerprints = trained.get("fingerprints", {})
    changed = [name for name in used if fingerprints.get(name, splits[name].fingerprint) != splits[name].fingerprint]
    if changed:
        raise UserError(f"{where}: the data have changed: other files or sizes in {', '.join(changed)} than when the "
                        "run began")


def check_own_networks(where, trained, own):
    """Raises UserError unless `own` has the own networks that a run was trained with; `trained`: its config.json."""
    then, now = sorted(trained.get("own_networks", ())), sorted(own or ())
    if then != now:
        raise UserError(f"{where}: trained with own networks: {', '.join(then) or 'none'}; given now: "
                        f"{', '.join(now) or 'none'}; from Python: tf2gan.load(FOLDER, "
                        f"{', '.join(f'{role}=...' for role in then) or '...'}), or an export, which has all it needs")
