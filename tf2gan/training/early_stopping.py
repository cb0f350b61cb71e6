"""Training that watches its figures: which evaluation was the best one so far, and when to give up."""
import math

from tf2gan.core import progress
from tf2gan.core.errors import UserError, flag, unknown
from tf2gan.metrics.values import better

PROTOCOL = ("evaluate_metrics", "evaluate_num", "extractor", "keep_best")  # training.Options that figures depend on
OPTIONS = ("evaluate_every", "stop_after", *PROTOCOL)  # all that are about evaluations


def check(options, metrics):
    """Raises UserError for a `keep_best` or `stop_after` that cannot be; before any work.

    `metrics`: short names of the figures that an evaluation will give; None where there will be none.
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
    """The best value so far of the figure `keep_best`, and how many evaluations have gone by since.

    Attributes:
        best: {"metric", "name", "value", "step"}; None before the first finite value, and without `keep_best`.
        since: number of evaluations that did not improve on it.
    """

    def __init__(self, options, state=None):
        """`options`: training.Options; `state`: what `state()` was at the checkpoint that is gone on from."""
        self.metric, self.stop_after = options.keep_best, options.stop_after
        self.best, self.since, self._step = ((state or {}).get(name) for name in ("best", "since", "step"))
        self.since = self.since or 0

    def state(self) -> dict:
        """All that is needed to go on, for JSON."""
        return {"best": self.best, "since": self.since, "step": self._step}

    def update(self, step, found, grown=True) -> bool:
        """Takes in the [Figure] of an evaluation at `step`; returns if that is the best so far.

        A value that is not finite never is. `grown`: whether a failure to improve is a reason to stop. Raises UserError
        if the figure is missing, or if it is not measured as before a resume.
        """
        self._step = step
        if self.metric is None:
            return False
        figure = next((figure for figure in found if figure.metric == self.metric), None)
        if figure is None:  # which figures there are can depend on the size of the images
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
        """If the last evaluations are reason to end training."""
        return self.stop_after is not None and self.since >= self.stop_after

    def verdict(self) -> str:
        """Why training has `stopped`, for people."""
        evaluations = f"{self.since} evaluation{'s' * (self.since != 1)}"
        if self.best is None:
            return f"stopped early at step {self._step}: {self.metric} was not finite in {evaluations}"
        return (f"stopped early at step {self._step}: {self.metric} has not improved on "
                f"{progress.number(self.best['value'])} (step {self.best['step']}) for {evaluations}")
