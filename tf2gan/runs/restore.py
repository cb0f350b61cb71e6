"""Restores a trained GAN from its run folder."""
import contextlib
import json

import tensorflow as tf

from tf2gan.core.errors import UserError, unknown
from tf2gan.runs import run_folder
from tf2gan.runs.record import check_own_networks, from_record


def load_gan(path, checkpoint="latest", weights="averaged", own=None):
    """Returns (GAN restored from a checkpoint of the run at `path`, its record), ready to generate.

    Args:
        checkpoint: "latest", "best" (kept by --keep-best), or the number of images of an existing one, a str.
        weights: "averaged", or "raw": as trained, which is all that a method without averages has. "raw" copies the
            trained weights into the averages, so that all that generates uses them.
        own: networks that the user brought to the training, as `gans.base.GAN` takes them.

    The GAN computes in float32, whatever the precision of training: its weights are float32, and so are exports.

    The record is the run's config.json with three more entries: `checkpoint`, the checkpoint's info.json; `weights`,
    "raw" also for a method without averages; `evaluation`, the last one, if it was of these weights. Raises UserError
    if `path` is not a run, or if the checkpoint is missing or cannot be read.
    """
    if weights not in ("averaged", "raw"):
        raise unknown("weights", weights, ("averaged", "raw"))
    run = run_folder.Run(path)
    chosen = chosen_checkpoint(run, checkpoint)
    gan_class, config = from_record(run.record)
    check_own_networks(run.path, run.record, own)
    with _float32():
        gan = gan_class(config, run.record.get("total_images"), **({"own": own} if own else {}))
    gan.class_names = run.record.get("class_names")
    run.restore(gan, chosen)
    if weights == "raw":
        for average, trained in zip(gan.averaged_variables, gan.averaged_from):
            average.assign(trained)
    record = {**run.record, "checkpoint": chosen.info, "weights": weights if gan.averages else "raw"}
    with contextlib.suppress(FileNotFoundError, ValueError, KeyError, TypeError):  # none, or of an older version
        evaluation = json.loads(run.evaluation_file.read_text(encoding="utf-8"))
        of_weights = evaluation["protocol"]["images_seen"], evaluation["protocol"]["weights"]
        if "table" in evaluation and of_weights == (chosen.info["images"], record["weights"]):
            record["evaluation"] = evaluation
    return gan, record


@contextlib.contextmanager
def _float32():
    """Sets the policy of layers made in the `with` block, also in a process that trains with another policy."""
    policy = tf.keras.mixed_precision.global_policy()
    tf.keras.mixed_precision.set_global_policy("float32")
    try:
        yield
    finally:
        tf.keras.mixed_precision.set_global_policy(policy)


def chosen_checkpoint(run, name):
    """The checkpoint of a `run_folder.Run` that `name` means: "latest", "best", or its number of images.

    Raises UserError if there is none.
    """
    there = run.all_checkpoints()
    if not there:
        raise UserError(f"{run.path}: the run has no checkpoint yet")
    if name == "latest":
        return there[-1]
    if name == "best":
        if run.best() is None:
            raise UserError(f"--checkpoint best: the run {run.path} kept none; training does with --evaluate-every and "
                            "--keep-best")
        return run.best()
    for checkpoint in there:
        if name.isdecimal() and int(name) == checkpoint.info["images"]:
            return checkpoint
    possible = ["latest", *["best"] * (run.best() is not None),
                *dict.fromkeys(str(checkpoint.info["images"]) for checkpoint in there)]
    raise UserError(f"--checkpoint {name}: the run {run.path} has no such checkpoint; possible: {', '.join(possible)}")
