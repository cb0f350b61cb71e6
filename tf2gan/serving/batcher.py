"""Requests that wait are computed together.

One thread computes. When it is free, it takes the request that has waited longest and those after it that fit to it, up
to a number of rows and of pixels. So a request that comes alone never waits for others.
"""
import asyncio
import collections
import concurrent.futures
from typing import Any, NamedTuple

import numpy as np


class _Waiting(NamedTuple):
    key: Any  # what requests must share to be computed together; None: not with others
    rows: int
    pixels: int
    servable: Any
    signature: str
    arrays: dict
    answer: asyncio.Future  # cancelled if nobody waits for it any more


class Batcher:
    """Computes what is submitted, in order. `start` and `stop` it within one event loop.

    Attributes: `computed`, how many calls of models were made; `served`, how many requests they answered.
    """

    def __init__(self, rows, pixels):
        """`rows`: most examples of one call, 1 for no batching; `pixels`: most of one call of several requests."""
        self._rows, self._pixels = rows, pixels
        self._queue, self._news = collections.deque(), asyncio.Event()
        self._thread = concurrent.futures.ThreadPoolExecutor(1)
        self._task, self._closing = None, False
        self.computed = self.served = 0

    def start(self):
        """Starts to compute."""
        self._task = asyncio.get_running_loop().create_task(self._work())

    @property
    def works(self) -> bool:
        """Whether it is computing, or would."""
        return self._task is not None and not self._task.done()

    async def stop(self):
        """Computes what waits and is still wanted, and ends."""
        self._closing = True
        self._news.set()
        await self._task
        self._thread.shutdown()

    async def submit(self, servable, signature, arrays, rows, pixels) -> dict:
        """{name: array} that a signature makes of {name: array}, `rows` examples with `pixels` in all.

        If the caller is cancelled, it is not computed. Raises RequestError for what the model refuses.
        """
        key = None
        if servable.batches(signature):
            shapes = tuple((name, array.shape[1:], array.dtype.str) for name, array in sorted(arrays.items()))
            key = (id(servable), signature, shapes)
        answer = asyncio.get_running_loop().create_future()
        self._queue.append(_Waiting(key, rows, pixels, servable, signature, arrays, answer))
        self._news.set()
        return await answer

    async def _work(self):
        while True:
            while self._queue:
                taken = self._taken()
                if taken:
                    await self._compute(taken)
            if self._closing:
                return
            self._news.clear()
            await self._news.wait()

    def _taken(self):
        """The first request, and those that can be computed with it. They leave the queue, as what nobody wants."""
        waiting = [one for one in self._queue if not one.answer.cancelled()]
        self._queue.clear()
        if not waiting:
            return []
        first, *others = waiting
        taken, rows, pixels = [first], first.rows, first.pixels
        for one in others:
            fits = rows + one.rows <= self._rows and pixels + one.pixels <= self._pixels
            if fits and one.key is not None and one.key == first.key:
                taken.append(one)
                rows, pixels = rows + one.rows, pixels + one.pixels
            else:
                self._queue.append(one)
        return taken

    async def _compute(self, taken):
        self.computed += 1
        try:
            parts = await asyncio.get_running_loop().run_in_executor(self._thread, _computed, taken)
        except Exception as error:  # also what nobody foresaw: the next requests must be answered
            if len(taken) > 1:  # one of them is bad: the others are not
                for one in taken:
                    await self._compute([one])
            elif not taken[0].answer.done():
                taken[0].answer.set_exception(error)
            return
        for one, part in zip(taken, parts):
            self.served += 1
            if not one.answer.done():
                one.answer.set_result(part)


def _computed(taken):
    """What each of some requests gets, in a list."""
    first, *others = taken
    if not others:
        return [first.servable.run(first.signature, first.arrays)]
    joined = {name: np.concatenate([one.arrays[name] for one in taken]) for name in first.arrays}
    outputs, start, parts = first.servable.run(first.signature, joined), 0, []
    for one in taken:
        parts.append({name: array[start:start + one.rows] for name, array in outputs.items()})
        start += one.rows
    return parts
