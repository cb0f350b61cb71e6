"""Devices, precision and determinism of a training."""
import contextlib

import tensorflow as tf

from tf2gan.core import quiet
from tf2gan.core.errors import UserError
from tf2gan.training import cluster
from tf2gan.training.options import Options


@contextlib.contextmanager
def settings_kept():
    """Restores the process-wide settings that `make_strategy` changes, as far as TensorFlow allows.

    Determinism stays on once it is enabled, and logical devices stay as they were first configured.
    """
    short = tf.config.experimental.tensor_float_32_execution_enabled()
    policy = tf.keras.mixed_precision.global_policy()
    remapping = tf.config.optimizer.get_experimental_options().get("remapping", True)
    try:
        yield
    finally:
        tf.keras.mixed_precision.set_global_policy(policy)
        tf.config.optimizer.set_experimental_options({"remapping": remapping})
        tf.config.experimental.enable_tensor_float_32_execution(short)


def make_strategy(options: Options, team=cluster.ALONE):
    """Mirrored strategy over the GPUs, or the CPUs, of all machines. Call it before TensorFlow uses any device."""
    if options.deterministic:
        tf.config.experimental.enable_op_determinism()
    # Grappler's remapper fails on a leaky ReLU that a gradient reads, logs this at every start, and gains nothing here.
    tf.config.optimizer.set_experimental_options({"remapping": False})
    policy = "float32" if options.precision == "float32" else f"mixed_{options.precision}"
    tf.keras.mixed_precision.set_global_policy(policy)
    # Faster on GPUs since Ampere, with 10 bits of mantissa. TensorFlow's default is on.
    tf.config.experimental.enable_tensor_float_32_execution(not options.deterministic)
    gpus = tf.config.list_physical_devices("GPU")
    if options.jit and (team.number > 1 or (options.replicas or len(gpus)) > 1):
        alone = "one worker" if team.number > 1 else "--replicas 1"
        raise UserError(f"--jit: XLA compiles the step of one device; possible: {alone}, or without --jit")
    _limit_memory(gpus, options.gpu_memory)
    if gpus:
        if options.replicas and options.replicas > len(gpus):
            raise UserError(f"--replicas {options.replicas}: this machine has {len(gpus)} GPU(s)")
        if team.number > 1:
            tf.config.set_visible_devices(gpus[:options.replicas], "GPU")
            return team.connect()
        with quiet.only_warnings():
            return tf.distribute.MirroredStrategy([f"GPU:{i}" for i in range(options.replicas or len(gpus))])
    replicas = options.replicas or 1
    if team.number > 1:
        if replicas > 1:
            raise UserError(f"--replicas {replicas}: not with the {team.number} workers of TF_CONFIG, each of which is "
                            "one replica where it has no GPU")
        return team.connect()
    if replicas > 1:  # not faster; it reproduces a run on several GPUs, step by step, on a machine without GPUs
        cpu = tf.config.list_physical_devices("CPU")[0]
        try:
            tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * replicas)
        except RuntimeError as error:  # TensorFlow has already used its devices in this process
            there = len(tf.config.list_logical_devices("CPU"))
            if there < replicas:
                raise UserError(f"--replicas {replicas}: this process has begun to use TensorFlow with {there} CPU "
                                "device; a new process can have as many as are asked for") from error
    with quiet.only_warnings():
        return tf.distribute.MirroredStrategy([f"CPU:{i}" for i in range(replicas)],
                                              cross_device_ops=tf.distribute.ReductionToOneDevice())


def _limit_memory(gpus, megabytes):
    """Limits what is used of each GPU. Raises UserError without a GPU, or if one is in use already."""
    if megabytes is None:
        return
    if not gpus:
        raise UserError(f"--gpu-memory {megabytes}: TensorFlow sees no GPU here; `tf2gan doctor` says why")
    for gpu in gpus:
        try:
            tf.config.set_logical_device_configuration(gpu, [tf.config.LogicalDeviceConfiguration(megabytes)])
        except RuntimeError as error:
            raise UserError(f"--gpu-memory {megabytes}: this process has begun to use the GPU; a new one can be "
                            "limited") from error
