"""What starting and resuming a training have in common."""
import dataclasses
import os
import signal

from tf2gan.core import terminal
from tf2gan.data import memory
from tf2gan.evaluation import during_training
from tf2gan.gans import GANS
from tf2gan.networks import own
from tf2gan.training import job


def networks_given(generator=None, discriminator=None) -> dict:
    """{role: builder} of the networks that are not None. Raises UserError for anything that is not a network."""
    given = {"generator": generator, "discriminator": discriminator}
    return {role: own.builder(network, role) for role, network in given.items() if network is not None}


def dataset_name(data, method=None, options=None) -> str:
    """The name of a data set: a given name or folder path, or a new name for images in memory. Raises UserError.

    `method`: the name of the method that is to learn from them; None: images of one kind. `options`: {name: value} of
    the training, as far as given.
    """
    if isinstance(data, (str, os.PathLike)):
        return os.fspath(data)
    kind = "images"
    made = (options or {}).get("input_from")  # pairs are made of single images
    if method is not None and "trainA" in GANS[method].splits and not made:
        kind = "paired" if GANS.numbers(method).Config.paired else "unpaired"
    return memory.keep(data, kind)


def started(request, networks, command, callbacks) -> job.Outcome:
    """Runs a Request. If interrupted, saves all and then raises KeyboardInterrupt or SystemExit.

    `networks`: {role: own network or None}; `command`: the call, for the record.
    """
    request = dataclasses.replace(request, own=networks_given(**networks), command=command,
                                  way_back=lambda folder: f"tf2gan.Run({str(folder)!r}).resume()")
    outcome = job.run(request, during_training, callbacks)
    if outcome.signal == signal.SIGINT:
        raise KeyboardInterrupt(outcome.message)
    if outcome.signal is not None:
        terminal.say(outcome.message)
        raise SystemExit(128 + outcome.signal)
    return outcome


def call_at_end(callbacks, run):
    """Calls `on_end(run)` of each callback that has it."""
    for callback in callbacks:
        function = getattr(callback, "on_end", None)
        if function is not None:
            function(run)
