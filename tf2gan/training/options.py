"""Options of a run that do not belong to a method: folders, devices, precision, intervals, evaluations."""
import dataclasses
from typing import Literal, Optional

from tf2gan.core.errors import UserError, flag


@dataclasses.dataclass(frozen=True)
class Options:
    """Options of the run and the machine"""

    data_dir: Optional[str] = None  # where tensorflow-datasets keeps its data; none: TFDS_DATA_DIR or its own default
    skip_unreadable: bool = False  # skip images of a folder that cannot be read
    run_dir: Optional[str] = None  # folder of the run; none: runs/MODEL-DATASET-NNN with the next free number
    replicas: Optional[int] = None  # devices to train on, per machine; none: all GPUs, or the CPU
    gpu_memory: Optional[int] = None  # MB of each GPU that may be used; none: what is needed, as it is needed
    precision: Literal["float32", "bfloat16", "float16"] = "float32"  # of the networks; weights and losses are float32
    jit: bool = False  # compile the step with XLA: a slow first step, then fewer passes over memory
    deterministic: bool = False  # bit-for-bit repeatable on the same machine, somewhat slower
    sample_every: int = 500  # steps between sample grids; 0: never
    checkpoint_every: int = 1000  # steps between checkpoints; also saved at the end and on interruption; 0: only then
    log_every: int = 50  # steps between log lines
    num_samples: int = 4  # images of each kind (domain, class) in a sample grid
    evaluate_every: int = 0  # steps between evaluations; also evaluated at the end; 0: never
    evaluate_metrics: str = "fid"  # metrics of these evaluations, separated by commas
    evaluate_num: int = 1000  # generated images that each metric is measured on
    extractor: Optional[str] = None  # imagenet, classifier, inception[:PATH], savedmodel:PATH...; none: by colour
    keep_best: Optional[str] = None  # also keep the checkpoint with the best value of this metric
    stop_after: Optional[int] = None  # early stopping: end after so many evaluations without a better --keep-best value


def check_options(options: Options):
    """Raises UserError for values that are invalid for any run."""
    for name, least in (("sample_every", 0), ("checkpoint_every", 0), ("log_every", 1), ("num_samples", 1),
                        ("evaluate_every", 0), ("evaluate_num", 1), ("replicas", 1), ("gpu_memory", 1),
                        ("stop_after", 1)):
        value = getattr(options, name)
        if value is not None and value < least:
            raise UserError(f"{flag(name)} {value}: must be at least {least}")
