"""Gives a new GAN the weights of another: fine-tuning, which needs far fewer images than a start from nothing."""
import hashlib
import json
import pathlib

import numpy as np

from tf2gan.core import savedmodel
from tf2gan.core.errors import UserError, printable, reason
from tf2gan.networks.layers import variable_name
from tf2gan.runs import restore

CARD = "model_card.json"  # of an export; "variables" in it says which weights are the SavedModel's, in its order


def load(gan, source, own=None) -> list:
    """Sets the weights of `gan` to those of the run or the export at `source`; returns lines about what was not there.

    Of a run, every network is taken that both have; of an export, what it generates with. Averages begin with those of
    the run, or else with the trained weights. `own`: networks that the user brought, as `gans.base.GAN` takes them.
    Raises UserError, before any weight is set, if there is neither a run nor an export, if it has none of the networks,
    or if networks are of other shapes.
    """
    if (pathlib.Path(source) / "config.json").exists():
        found, averages = _of_run(gan, source, own)
    elif pathlib.Path(source).is_dir():
        found, averages = _of_export(gan, source), {}
    else:
        raise UserError(f"--init-from {printable(source)}: there is no such folder; needed: a run or an export")
    networks = {name: network.variables for name, (network, _) in gan.networks.items()}
    if not set(found) & set(networks):
        raise UserError(f"--init-from {printable(source)}: has none of the networks of this method, which are "
                        f"{', '.join(networks)}; possible: a run or an export of a method that has one of them")
    for name in set(found) & set(networks):
        _check_same(name, networks[name], found[name], source)
    missing = []
    for name, variables in networks.items():
        values = found.get(name, {})
        for index, value in values.items():
            variables[index].assign(value)
        if len(values) < len(variables):
            missing.append(f"{'all' if not values else 'parts'} of the {name}")
    for average, trained in zip(gan.averaged_variables, gan.averaged_from):
        average.assign(trained)
    for average, network in gan.averages:
        values = averages.get(network.name)
        if values is not None and [np.shape(value) for value in values] == [tuple(v.shape) for v in average.variables]:
            for variable, value in zip(average.variables, values):
                variable.assign(value)
    return [f"begins with the weights of {printable(source)}",
            *([f"  not there, and new: {', '.join(missing)}"] if missing else [])]


def named(gan) -> list:
    """[(a variable, the name of its network, its index in it)]; a variable of an average has those of the trained one.
    """
    places = {id(variable): (name, index) for name, (network, _) in gan.networks.items()
              for index, variable in enumerate(network.variables)}
    averaged = [(average, *places[id(trained)]) for average, trained in zip(gan.averaged_variables, gan.averaged_from)]
    return [*averaged, *((variable, *places[id(variable)]) for network, _ in gan.networks.values()
                         for variable in network.variables)]


def digest(gan) -> str:
    """A hash of all trained weights."""
    found = hashlib.sha256()
    for network, _ in gan.networks.values():
        for variable in network.variables:
            found.update(variable.numpy().tobytes())
    return found.hexdigest()


def _of_run(gan, source, own):
    """({network: {index: value}}, {network: values of its average})."""
    other, _ = restore.load_gan(source, own=own)
    if other.abilities.samples and gan.abilities.samples:
        _check_images(source, other.image_shape, gan.image_shape)
    return ({name: dict(enumerate(variable.numpy() for variable in network.variables))
             for name, (network, _) in other.networks.items()},
            {network.name: [variable.numpy() for variable in average.variables] for average, network in other.averages})


def _of_export(gan, source):
    """{network: {index: value}}."""
    folder = savedmodel.find(source)
    variables = getattr(savedmodel.load(folder), "variables_used", None)
    try:
        card = json.loads((folder / CARD).read_text(encoding="utf-8"))
        places = card.get("variables")
    except (OSError, ValueError, AttributeError) as error:
        raise UserError(f"--init-from {printable(folder)}: neither a run nor an export of this project: {CARD}: "
                        f"{reason(error)}") from error
    if variables is None:
        raise UserError(f"--init-from {printable(folder)}: neither a run nor an export of this project")
    if "image_shape" in card and gan.abilities.samples:
        _check_images(source, card["image_shape"], gan.image_shape)
    found = {}
    for (name, index), variable in zip(places or _guessed(gan, variables), variables):
        found.setdefault(name, {})[index] = variable.numpy()
    found.pop(None, None)
    return found


def _guessed(gan, variables):
    """(network, index) of each variable of an export by an older version, by their names; (None, None): of none.

    Exports that Keras 3 made had no names.
    """
    def name(variable):
        return variable_name(variable).partition("/")[2]

    places = {}
    for average, network in gan.averages:
        keys = [key for key, (one, _) in gan.networks.items() if one is network]
        for index, variable in enumerate(network.variables):
            places[average.name, name(variable)] = places[network.name, name(variable)] = (*keys, index)
    return [places.get((variable_name(variable).partition("/")[0], name(variable)), (None, None))
            for variable in variables]


def _check_images(source, theirs, ours):
    """Raises UserError for images of another size or of other channels, which is what most often differs."""
    if list(theirs) != list(ours):
        theirs, ours = ("x".join(map(str, shape)) for shape in (theirs, ours))
        raise UserError(f"--init-from {printable(source)}: makes images of {theirs}, this one of {ours}; possible: the "
                        "same --image-size and --channels")


def _check_same(name, variables, values, source):
    """Raises UserError unless all of `values`, {index: value}, have the shapes of `variables`."""
    for index, value in values.items():
        if index >= len(variables) or tuple(variables[index].shape) != np.shape(value):
            ours = "no such part" if index >= len(variables) else (
                f"{variable_name(variables[index])} is {list(np.shape(value))}, here {list(variables[index].shape)}")
            raise UserError(f"--init-from {printable(source)}: its {name} is another network: {ours}; possible: a run "
                            "of the same method, with the same options of its networks")
