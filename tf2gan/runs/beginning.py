"""Gives a new GAN the weights of another: fine-tuning, which needs far fewer images than a start from nothing."""
import json
import os
import pathlib

import numpy as np

from tf2gan.core import savedmodel
from tf2gan.core.errors import UserError, printable
from tf2gan.networks.layers import variable_name
from tf2gan.runs import restore

CARD = "model_card.json"  # of an export; its "variables" are the names of those that the SavedModel has, in their order


def load(gan, source, own=None) -> list:
    """Sets the weights of `gan` to those of the run or the export at `source`; returns lines about what was not there.

    Of a run, every network is taken that both have; of an export, its generators. Averages begin with those of the
    run, or else with the trained weights. `own`: networks that the user brought, as `gans.base.GAN` takes them. Raises
    UserError, before any weight is set, if there is neither a run nor an export, or if networks are of other shapes.
    """
    if (pathlib.Path(source) / "config.json").exists():
        found = _of_run(gan, source, own)
    elif pathlib.Path(source).is_dir():
        found = _of_export(gan, source)
    else:
        raise UserError(f"--init-from {printable(source)}: there is no such folder; needed: a run or an export")
    networks = _networks(gan)
    for name, variables in networks.items():
        if name in found:
            _check_same(name, variables, found[name], source)
    for name, values in found.items():
        for variable, value in zip(networks.get(name, ()), values):
            variable.assign(value)
    if not any(_average_of(network) in found for _, network in gan.averages):
        for average, trained in zip(gan.averaged_variables, gan.averaged_from):
            average.assign(trained)
    new = [name for name in gan.networks if name not in found]
    return [f"begins with the weights of {printable(source)}",
            *([f"  which has no {', '.join(new)}: new"] if new else [])]


def _networks(gan):
    """{name: its variables}, the trained networks and their averages."""
    trained = {name: network.variables for name, (network, _) in gan.networks.items()}
    return {**trained, **{_average_of(network): average.variables for average, network in gan.averages}}


def _average_of(network):
    return f"average of {network.name}"


def _of_run(gan, source, own):
    other, _ = restore.load_gan(source, own=own)
    if hasattr(other, "image_shape") and hasattr(gan, "image_shape"):
        _check_images(source, other.image_shape, gan.image_shape)
    return {name: [variable.numpy() for variable in variables] for name, variables in _networks(other).items()}


def _of_export(gan, source):
    folder = savedmodel.find(source)
    loaded = savedmodel.load(folder)
    variables = getattr(loaded, "variables_used", None)
    if variables is None:
        raise UserError(f"{printable(folder)}: neither a run nor an export of this project")
    with open(os.path.join(folder, CARD), encoding="utf-8") as file:
        card = json.load(file)
    if "image_shape" in card and hasattr(gan, "image_shape"):
        _check_images(source, card["image_shape"], gan.image_shape)
    names = card.get("variables") or [variable_name(variable) for variable in variables]
    if len(set(names)) < len(names):
        raise UserError(f"{printable(folder)}: its networks have weights of the same names, which cannot be told "
                        "apart; possible: the run that it was exported from")
    values, found = dict(zip(names, (variable.numpy() for variable in variables))), {}
    for average, network in gan.averages or [(network, network) for network, _ in gan.networks.values()]:
        # An export has only what it generates with: averages, or the generators of a run without averages.
        for old in (average.name, network.name):
            wanted = [variable_name(variable).replace(f"{network.name}/", f"{old}/", 1)
                      for variable in network.variables]
            if set(wanted) <= set(values):
                found[network.name] = [values[name] for name in wanted]
    if not found:
        raise UserError(f"{printable(folder)}: has other networks than this one; possible: an export of the same "
                        "method, with the same options of its networks")
    return found


def _check_images(source, theirs, ours):
    """Raises UserError for images of another size or of other channels, which is what most often differs."""
    if list(theirs) != list(ours):
        theirs, ours = ("x".join(map(str, shape)) for shape in (theirs, ours))
        raise UserError(f"--init-from {printable(source)}: makes images of {theirs}, this one of {ours}; possible: the "
                        "same --image-size and --channels")


def _check_same(name, variables, values, source):
    ours, theirs = [tuple(variable.shape) for variable in variables], [np.shape(value) for value in values]
    if ours != theirs:
        where = next((i for i, (a, b) in enumerate(zip(ours, theirs)) if a != b), min(len(ours), len(theirs)) - 1)
        raise UserError(f"--init-from {printable(source)}: its {name} is another network: "
                        f"{variable_name(variables[where])} is {list(theirs[where])}, here {list(ours[where])}; "
                        "possible: a run of the same method, with the same options of its networks")
