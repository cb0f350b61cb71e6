"""Gradient accumulation: the parts of a step's batch, one after the other, make each update together."""
import contextlib
import threading

import tensorflow as tf

_here = threading.local()


class Parts:
    """Runs a step once for each of `number` parts of a batch, in lockstep, while its graph is traced.

    A step is written for one batch, and makes several updates. Each part runs it in a thread of its own, as replicas
    do, and waits in `meet` for the others. One thread runs at a time, in a fixed order: the graph is always the same.
    """

    def __init__(self, number):
        self.number = number

    @property
    def index(self) -> int:
        """That of the part that runs."""
        part = getattr(_here, "part", None)
        return 0 if part is None else part.index

    def add(self, gradients) -> list:
        """The sum of the gradients, of which some are None, of this part and those before, for the next update."""
        shared = _here.part.shared
        gradients = [None if each is None else tf.convert_to_tensor(each) for each in gradients]
        if shared.sum is not None:
            gradients = [None if each is None else each + before for each, before in zip(gradients, shared.sum)]
        shared.sum = gradients
        return gradients

    def run(self, functions) -> list:
        """The results of `functions`, one for each part. Raises what one of them raises."""
        graph, replica = tf.compat.v1.get_default_graph(), tf.distribute.get_replica_context()
        device = tf.zeros([]).device
        shared = _Shared()
        parts = [_Part(i, function, (graph, device, replica), shared) for i, function in enumerate(functions)]
        for part in parts:
            part.start()
        try:
            while True:
                for part in parts:
                    part.proceed()
                if all(part.ended for part in parts):
                    return [part.result for part in parts]
                if any(part.ended for part in parts):
                    raise RuntimeError("the parts of a batch made different numbers of updates")
                answer = parts[0].combine([part.value for part in parts])
                shared.next_update()
                for part in parts:
                    part.answer = answer
        finally:
            for part in parts:
                part.abandon()

    def meet(self, value, combine):
        """What `combine` makes of the list of all parts' values, once they all are here; called in a part."""
        return _here.part.meet(value, combine)  # an AttributeError means: train_step was called, and not whole_step


class _Shared:
    """What the parts of a replica's batch share."""

    def __init__(self):
        self.sum, self._last = None, []  # of the gradients for the next update, and for the one before

    def next_update(self):
        self._last, self.sum = self.sum or self._last, None

    def before(self) -> list:
        """What a part waits for before it goes on: that the one before has its gradients, and needs no more memory."""
        return [gradient for gradient in self.sum or self._last if gradient is not None]


class _Abandoned(BaseException):
    """Ends the thread of a part when another one has failed."""


class _Part(threading.Thread):
    def __init__(self, index, function, place, shared):
        super().__init__(daemon=True)
        self.index, self.function, self.place, self.shared = index, function, place, shared
        self.result = self.error = self.value = self.combine = self.answer = None
        self.ended = self.abandoned = False
        self._request = self._response = None
        self._order = contextlib.ExitStack()  # the control dependencies of whatever it computes
        self._turn, self._pause = threading.Semaphore(0), threading.Semaphore(0)

    # The thread of the replica calls these.

    def proceed(self):
        """Lets it run to where it meets the others, or to its end. Raises what it raises."""
        self._step()
        while self._request is not None:
            request, self._request = self._request, None
            self._response = request()
            self._step()

    def _step(self):
        self._turn.release()
        self._pause.acquire()
        if self.error is not None:
            raise self.error

    def abandon(self):
        self.abandoned = True
        self._turn.release()
        self.join()

    # These run in the part's own thread.

    def meet(self, value, combine):
        self._order.close()
        self.value, self.combine = value, combine
        self._wait()
        self._order.enter_context(tf.control_dependencies(self.shared.before()))
        return self.answer

    def ask(self, request):
        """What `request()` returns in the thread of the replica, which alone can talk to other replicas."""
        self._request = request
        self._wait()
        return self._response

    def _wait(self):
        self._pause.release()
        self._turn.acquire()
        if self.abandoned:
            raise _Abandoned

    def run(self):
        graph, device, replica = self.place
        _here.part = self
        self._turn.acquire()
        try:
            if not self.abandoned:
                with graph.as_default(), tf.device(device), _InPart(replica), self._order:
                    self._order.enter_context(tf.control_dependencies(self.shared.before()))
                    self.result = self.function()
        except _Abandoned:
            pass
        except BaseException as error:  # raised again by `proceed`
            self.error = error
        finally:
            self.ended = True
            self._pause.release()


class _InPart(tf.distribute.ReplicaContext):
    """That of the replica, which talks to other replicas in the replica's own thread, as it must."""

    def __init__(self, replica):
        # As an int: of a tensor, a strategy of several machines cannot tell which of its own replicas this is.
        super().__init__(replica.strategy, int(tf.get_static_value(replica.replica_id_in_sync_group)))
        self._replica = replica

    def merge_call(self, merge_fn, args=(), kwargs=None):
        return _here.part.ask(lambda: self._replica.merge_call(merge_fn, args, kwargs))

    @property
    def devices(self):
        return self._replica.devices
