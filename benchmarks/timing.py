"""Times steps, and summarizes many rounds: medians and ranges of times, and of ratios within a round."""
import dataclasses
import time

import numpy as np

LOW, HIGH = 10, 90  # percentiles of a range


@dataclasses.dataclass(frozen=True)
class Spread:
    """Median, 10th percentile and 90th percentile over the rounds."""

    median: float
    low: float
    high: float

    def times(self, factor):
        """The Spread in another unit; `factor` is above 0."""
        return Spread(self.median * factor, self.low * factor, self.high * factor)

    def inverse(self):
        """The Spread of the reciprocals."""
        return Spread(1.0 / self.median, 1.0 / self.high, 1.0 / self.low)

    def text(self, decimals):
        """MEDIAN (LOW to HIGH)."""
        return f"{self.median:.{decimals}f} ({self.low:.{decimals}f} to {self.high:.{decimals}f})"


def each(step, num) -> list:
    """Seconds of each of `num` calls of `step()`."""
    took = []
    for _ in range(num):
        began = time.perf_counter()
        step()
        took.append(time.perf_counter() - began)
    return took


def spread(values) -> Spread:
    """The Spread of one number or more."""
    low, median, high = np.percentile(np.asarray(values, np.float64), [LOW, 50, HIGH])
    return Spread(float(median), float(low), float(high))


def paired(times, others) -> Spread:
    """The Spread of times[i] / others[i], which disturbances of a whole round change little. Both have equal length."""
    if len(times) != len(others):
        raise ValueError(f"{len(times)} rounds of the one, {len(others)} of the other")
    return spread(np.asarray(times, np.float64) / np.asarray(others, np.float64))
