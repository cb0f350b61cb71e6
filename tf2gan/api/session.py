"""What starting a training and going on with one have in common."""
import dataclasses
import os
import signal

from tf2gan.data import memory
from tf2gan.evaluation import during_training
from tf2gan.networks import own
from tf2gan.training import job


def networks_given(generator=None, discriminator=None) -> dict:
    """{role: builder} of the networks that are not None. Raises UserError for what is no network."""
    given = {"generator": generator, "discriminator": discriminator}
    return {role: own.builder(network, role) for role, network in given.items() if network is not None}


def dataset_name(data, unpaired=False) -> str:
    """The name of a data set: as it is, a folder's path, or that of images in memory. Raises UserError."""
    if isinstance(data, (str, os.PathLike)):
        return os.fspath(data)
    return memory.keep(data, unpaired)


def started(request, networks, command, callbacks) -> job.Outcome:
    """Runs a Request. An interruption is raised, when all is saved, as in any program.

    `networks`: {role: own network or None}; `command`: what was called, for the record.
    """
    request = dataclasses.replace(request, own=networks_given(**networks), command=command,
                                  way_back=lambda folder: f"tf2gan.Run({str(folder)!r}).resume()")
    outcome = job.run(request, during_training, callbacks)
    if outcome.signal == signal.SIGINT:
        raise KeyboardInterrupt(outcome.message)
    if outcome.signal is not None:
        raise SystemExit(128 + outcome.signal)
    return outcome


def call_at_end(callbacks, run):
    """`on_end(run)` of each callback that has it."""
    for callback in callbacks:
        function = getattr(callback, "on_end", None)
        if function is not None:
            function(run)
