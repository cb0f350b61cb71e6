"""Early stopping: keeps track of the best evaluation so far, and decides when to stop training."""
import math

from tf2gan.core import progress
from tf2gan.core.errors import UserError, flag, unknown
from tf2gan.metrics.values import better

PROTOCOL = ("evaluate_metrics", "evaluate_num", "extractor", "keep_best")  # Options that metric values depend on
OPTIONS = ("evaluate_every", "stop_after", *PROTOCOL)  # all Options about evaluations


def check(options, metrics):
    """Raises UserError for an invalid `keep_best` or `stop_after`, before any work.

    `metrics`: short names of the metrics that evaluations will measure; None if there are no evaluations.
    """
    for name in ("keep_best", "stop_after"):
        if getattr(options, name) is not None and metrics is None:
            raise UserError(f"{flag(name)} {getattr(options, name)}: needs --evaluate-every, the number "
                            "of steps between evaluations")
    if options.stop_after is not None and options.keep_best is None:
        raise UserError(f"--stop-after {options.stop_after}: needs --keep-best, the figure that is to improve")
    if options.keep_best is None:
        return
    if options.keep_best not in metrics:
        raise UserError(f"--keep-best: {unknown('figure', options.keep_best, metrics)}; --evaluate-metrics "
                        f"{options.evaluate_metrics} gives no other")
    if better(options.keep_best) is None:
        raise UserError(f"--keep-best {options.keep_best}: neither a lower nor a higher value of it is better; "
                        f"possible: {', '.join(sorted(filter(better, metrics))) or 'none of these figures'}")


class EarlyStopping:
    """The best value so far of the metric `keep_best`, and the number of evaluations since.

    Attributes:
        best: {"metric", "name", "value", "step"}; None before the first finite value, and without `keep_best`.
        since: number of evaluations that did not improve on it.
    """

    def __init__(self, options, state=None):
        """`options`: training.options.Options; `state`: what `state()` returned at the checkpoint that is resumed."""
        self.metric, self.stop_after = options.keep_best, options.stop_after
        self.best, self.since, self._step = ((state or {}).get(name) for name in ("best", "since", "step"))
        self.since = self.since or 0

    def state(self) -> dict:
        """All that a resume needs, for JSON."""
        return {"best": self.best, "since": self.since, "step": self._step}

    def update(self, step, found, grown=True) -> bool:
        """Records the metric values, [Figure], of an evaluation at `step`; returns whether it is the best so far.

        A value that is not finite never is. `grown`: whether a failure to improve counts towards stopping. Raises
        UserError if the metric is missing, or if it is measured in another way than before a resume.
        """
        self._step = step
        if self.metric is None:
            return False
        figure = next((figure for figure in found if figure.metric == self.metric), None)
        if figure is None:  # the image size may decide which metrics there are
            raise UserError(f"--keep-best {self.metric}: was not measured; possible: "
                            f"{', '.join(figure.metric for figure in found)}")
        if self.best and self.best["name"] != figure.name:
            raise UserError(f"what is measured as {figure.name} now was {self.best['name']} when the best checkpoint "
                            "was kept, and the two cannot be compared; bring back what was measured with, or start a "
                            "new run")
        sign = -1.0 if better(self.metric) == "lower" else 1.0
        if math.isfinite(figure.value) and (not self.best or sign * (figure.value - self.best["value"]) > 0):
            self.best = {"metric": figure.metric, "name": figure.name, "value": float(figure.value), "step": step}
            self.since = 0
            return True
        self.since += grown
        return False

    @property
    def stopped(self) -> bool:
        """Whether the last evaluations are a reason to stop training."""
        return self.stop_after is not None and self.since >= self.stop_after

    def verdict(self) -> str:
        """Why training has `stopped`, as a message."""
        evaluations = f"{self.since} evaluation{'s' * (self.since != 1)}"
        if self.best is None:
            return f"stopped early at step {self._step}: {self.metric} was not finite in {evaluations}"
        return (f"stopped early at step {self._step}: {self.metric} has not improved on "
                f"{progress.number(self.best['value'])} (step {self.best['step']}) for {evaluations}")
