"""metrics.jsonl: an object a line, read one at a time, since a long training has millions."""
import contextlib
import json

MOST = 4096  # lines that a Thinned keeps


def read(path):
    """Yields the objects of the file at `path`, if there is one, without half-written lines."""
    with contextlib.suppress(FileNotFoundError), open(path, encoding="utf-8") as file:
        for line in file:
            with contextlib.suppress(ValueError):
                yield json.loads(line)


def is_evaluation(line) -> bool:
    """Whether these are metric values of an evaluation, and not means over steps."""
    return "images_per_second" not in line


class Thinned(list):
    """Log lines, oldest first: of the older ones only every second, fourth, and so on, if there are more than `most`.

    Half of `most`, the newest lines, are complete. `whole(line)`: those, few, that are all kept, and do not count.
    """

    def __init__(self, lines=(), most=MOST, whole=lambda line: False):
        super().__init__()
        self.most, self._whole, self._every = most, whole, 1
        self._places, self._next = [], 0  # of the lines that are kept, among all that count; None: those that do not
        self._num = 0  # of the kept lines that count, which are too many to count at each new one
        for line in lines:
            self.append(line)

    def append(self, line):
        super().append(line)
        counts = not self._whole(line)
        self._places.append(self._next if counts else None)
        self._next += counts
        self._num += counts
        if self._num > self.most:
            self._thin_out()

    def _thin_out(self):
        recent = self._next - self.most // 2
        while True:
            kept = [(place, line) for place, line in zip(self._places, self)
                    if place is None or place >= recent or place % self._every == 0]
            self._num = sum(place is not None for place, _ in kept)
            if self._num <= 3 * self.most // 4:
                break
            self._every *= 2
        self._places[:], self[:] = [place for place, _ in kept], [line for _, line in kept]
