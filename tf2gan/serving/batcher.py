"""Requests that wait are computed together.

One thread computes. While it does, requests wait in a queue of bounded length. When it is free, it takes the first one
and those after it that fit to it, up to a number of rows. So a request that comes alone never waits for others.
"""
import asyncio
import collections
import concurrent.futures
from typing import Any, NamedTuple

import numpy as np

from tf2gan.serving.errors import RequestError


class _Waiting(NamedTuple):
    key: Any  # what requests must share to be computed together; None: not with others
    rows: int
    servable: Any
    signature: str
    arrays: dict
    answer: asyncio.Future


class Batcher:
    """Computes what is submitted, in order. `start` and `stop` it within one event loop.

    Attributes: `computed`, how many calls of models were made; `served`, how many requests they answered.
    """

    def __init__(self, rows, waiting):
        """`rows`: most examples of one call, 1 for no batching; `waiting`: most requests in the queue."""
        self._rows, self._most = rows, waiting
        self._queue, self._news = collections.deque(), asyncio.Event()
        self._thread = concurrent.futures.ThreadPoolExecutor(1)
        self._task, self._closing = None, False
        self.computed = self.served = 0

    def start(self):
        """Starts to compute."""
        self._task = asyncio.get_running_loop().create_task(self._work())

    async def stop(self):
        """Computes what waits, and ends."""
        self._closing = True
        self._news.set()
        await self._task
        self._thread.shutdown()

    async def submit(self, servable, signature, arrays, rows) -> dict:
        """{name: array} that a signature makes of {name: array}, `rows` examples.

        Raises RequestError 503 if too many requests wait, and for what the model refuses.
        """
        if len(self._queue) >= self._most:
            raise RequestError(503, f"busy: {len(self._queue)} requests wait already; try again later")
        key = None
        if servable.batches(signature):
            shapes = tuple((name, array.shape[1:], array.dtype.str) for name, array in sorted(arrays.items()))
            key = (id(servable), signature, shapes)
        one = _Waiting(key, rows, servable, signature, arrays, asyncio.get_running_loop().create_future())
        self._queue.append(one)
        self._news.set()
        return await one.answer

    async def _work(self):
        while True:
            while self._queue:
                await self._compute(self._taken())
            if self._closing:
                return
            self._news.clear()
            await self._news.wait()

    def _taken(self):
        """The first request, and those that can be computed with it; they leave the queue."""
        first = self._queue.popleft()
        taken, rows, rest = [first], first.rows, collections.deque()
        while self._queue:
            one = self._queue.popleft()
            if one.key is not None and one.key == first.key and rows + one.rows <= self._rows:
                taken.append(one)
                rows += one.rows
            else:
                rest.append(one)
        self._queue = rest
        return taken

    async def _compute(self, taken):
        loop, first = asyncio.get_running_loop(), taken[0]
        arrays = first.arrays if len(taken) == 1 else {
            name: np.concatenate([one.arrays[name] for one in taken]) for name in first.arrays}
        try:
            self.computed += 1
            outputs = await loop.run_in_executor(self._thread, first.servable.run, first.signature, arrays)
        except Exception as error:  # also what nobody foresaw: the next requests must be answered
            if len(taken) > 1:  # one of them is bad: the others are not
                for one in taken:
                    await self._compute([one])
            elif not first.answer.cancelled():
                first.answer.set_exception(error)
            return
        start = 0
        for one in taken:
            self.served += 1
            whole = len(taken) == 1
            part = outputs if whole else {name: array[start:start + one.rows] for name, array in outputs.items()}
            start += one.rows
            if not one.answer.cancelled():
                one.answer.set_result(part)
