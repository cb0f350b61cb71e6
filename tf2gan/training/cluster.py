"""Training on several machines: reads TF_CONFIG, makes the strategy, lets workers agree, detects lost workers.

All workers must make the same calls in the same order, or they would wait for each other forever. So the chief, worker
0, decides how many steps come next, and the others follow. What only one worker does (files, samples, evaluations)
involves no other worker.
"""
import contextlib
import json
import os
import pathlib
import re
import signal
import socket
import sys
import threading
import time
import uuid
import zlib

import numpy as np
import tensorflow as tf

from tf2gan.core import terminal
from tf2gan.core.errors import Failure, UserError

_PERIOD = 2.0  # seconds between two checks of the other workers
_PATIENCE = 600.0  # seconds in which all workers have to start: a cluster may be fetching its container images
_LOST_AFTER = 5  # failed checks in a row
_SECONDS_TO_TELL = 20  # that a worker which cannot take part waits for the others to ask
_READY, _REFUSED, _THANKS = "ready", "refused: ", "thanks"  # what workers say to each other before TensorFlow does
_SECONDS_TO_END = 20  # that a failed worker spends at most on telling the others
# Errors that a collective operation raises when another worker is gone.
_BROKEN = (tf.errors.UnavailableError, tf.errors.AbortedError, tf.errors.CancelledError, tf.errors.InternalError,
           tf.errors.DeadlineExceededError, tf.errors.FailedPreconditionError, tf.errors.UnknownError)


class Alone:
    """The only worker, which has no other to agree with.

    Attributes:
        number: number of workers; share: (index of this worker, number).
        where: where the user has to type the command that resumes the run; empty: here.
    """

    number, is_chief, share, where = 1, True, (0, 1), ""

    def distributed(self, strategy, dataset, batch_size):
        """Distributes `dataset`, of global batches, to the replicas of `strategy`."""
        return strategy.experimental_distribute_dataset(dataset)

    def refused(self, error):
        """Tells the other workers that this one cannot take part."""

    def check_same(self, what, text):
        """Raises UserError on all workers unless `text` is the same on each; `what` names it."""

    def agree(self, step, num_steps, number):
        """Returns the number of steps to run next, the same on all workers; 0 (stop) once a worker received a signal.

        Args:
            step: number of steps done.
            num_steps: the number that this worker proposes; only the chief's counts.
            number: number of the signal that this worker received, or None.
        """
        return 0 if number is not None else num_steps

    def finish(self, number):
        """Waits until all workers get here; then each may end. Returns the signal that one received, or None."""
        return number

    @contextlib.contextmanager
    def together(self):
        """Wraps training: an error of one worker in the `with` block ends all workers."""
        yield

    @contextlib.contextmanager
    def explained(self):
        """Wraps everything: turns TensorFlow's errors about a lost worker into a Failure of one line."""
        yield


ALONE = Alone()


class Team(Alone):
    """This process as one of several workers.

    Attributes:
        name: name of this worker in messages; names: those of all workers.
        way_back: the command that resumes the run after a loss; None before there is a run to resume.
    """

    where, way_back = " on each host", None

    def __init__(self, addresses, index):
        """`addresses`: "host:port" of all workers, the chief's first; `index`: index of this worker."""
        self.number, self.is_chief, self.share = len(addresses), index == 0, (index, len(addresses))
        self.names = [f"worker {i} of {len(addresses)} ({address})" for i, address in enumerate(addresses)]
        self.name = self.names[index]
        self._addresses, self._port = addresses, _pair(addresses[index])[1]
        self._when, self._signal, self._over = "before training began", 0, False
        others = {name: _pair(address) for i, (name, address) in enumerate(zip(self.names, addresses)) if i != index}
        self._watch = PeerWatch(others, self._end)
        self._stderr = os.dup(2)  # works even while stderr is being captured

    def connect(self):
        """Waits for all workers; returns a MultiWorkerMirroredStrategy over all their visible GPUs, or their CPUs.

        Must be called before TensorFlow uses any device. Raises UserError if this worker's port is taken.
        """
        self._meet()
        self._watch.start()
        # TensorFlow waits inside of C++, where no Python code runs: a signal ends the process there.
        numbers = (signal.SIGINT, signal.SIGTERM) if threading.current_thread() is threading.main_thread() else ()
        before = {number: signal.signal(number, signal.SIG_DFL) for number in numbers}
        try:
            return self._strategy()
        finally:  # also since TensorFlow has installed a handler for SIGTERM, which passes none on
            for number, handler in before.items():
                signal.signal(number, handler)

    def _meet(self):
        """Waits until all workers are here, each of which says so to the others; can be interrupted.

        Raises UserError if this worker's port is taken, Failure if another one says that it cannot take part, or does
        not come up in time.
        """
        others = {name: _pair(address) for name, address in zip(self.names, self._addresses) if name != self.name}
        ready, absent, began, told = {}, sorted(others), time.monotonic(), time.monotonic() - 50.0
        with _Reception(self._port, self.name, _READY) as reception:
            while absent:
                for name, address in others.items():  # all, each time: one that was ready may have been started again
                    answer, process = _ask(address, self.name, reception.process)
                    if answer.startswith(_REFUSED):
                        raise Failure(f"{name} cannot take part: {answer[len(_REFUSED):]}")
                    if answer == _READY:
                        ready[name] = process
                # One that has met all others is gone, and need not be there any more; but it has to be the one met.
                now, met = time.monotonic(), reception.met
                absent = sorted(name for name in others if name not in ready or ready[name] != met.get(name))
                if absent and now - began > _PATIENCE:
                    raise Failure(f"{absent[0]} did not come up within {_PATIENCE:.0f} seconds")
                if absent and now - told > 60.0:  # the first time after 10 seconds
                    terminal.say(f"waiting for {', '.join(absent)}")
                    told = now
                time.sleep(0.2 if absent else 0.0)

    def refused(self, error):
        """Tells the other workers that this one cannot take part: they would wait for it otherwise.

        It answers until each has asked, but not longer than _SECONDS_TO_TELL.
        """
        terminal.say(f"{self.name} cannot take part, and tells the others, for at most {_SECONDS_TO_TELL} seconds")
        with contextlib.suppress(UserError), _Reception(self._port, self.name, f"{_REFUSED}{error}") as reception:
            until = time.monotonic() + _SECONDS_TO_TELL
            while len(reception.met) < self.number - 1 and time.monotonic() < until:
                time.sleep(0.1)

    def _strategy(self):
        communication = tf.distribute.experimental.CommunicationImplementation
        implementation = communication.AUTO if tf.config.list_physical_devices("GPU") else communication.RING
        strategy = tf.distribute.MultiWorkerMirroredStrategy(
            tf.distribute.cluster_resolver.TFConfigClusterResolver(),
            tf.distribute.experimental.CommunicationOptions(implementation=implementation))
        of_each = strategy.num_replicas_in_sync // self.number

        @tf.function
        def total(table):
            return strategy.reduce("SUM", strategy.run(tf.identity, args=(table / of_each,)), axis=None)

        self._total = total
        return strategy

    def distributed(self, strategy, dataset, batch_size):
        """Distributes `dataset`, of this worker's share of each global batch, to its replicas."""
        of_replica = batch_size // strategy.num_replicas_in_sync
        if strategy.num_replicas_in_sync > self.number:
            dataset = dataset.rebatch(of_replica, drop_remainder=True)
        # Otherwise workers would ask each other at each step whether data are left, and batches have no static size.
        dataset = dataset.apply(tf.data.experimental.assert_cardinality(tf.data.INFINITE_CARDINALITY))
        return strategy.distribute_datasets_from_function(lambda context: dataset)

    def _gather(self, *numbers):
        """Collects the `numbers` of all workers: int array [workers, numbers]; they must be integers below 2 ** 24."""
        table = np.zeros([self.number, len(numbers)], np.float32)
        table[self.share[0]] = numbers
        return np.rint(self._total(tf.constant(table)).numpy()).astype(int)

    def check_same(self, what, text):
        check = zlib.crc32(text.encode())
        checks = self._gather(check >> 16, check & 0xFFFF)
        others = [name for name, row in zip(self.names, checks) if (row != checks[0]).any()]
        if others:
            raise UserError(f"{others[0]} differs from worker 0 in its {what}; all workers need the same")

    def agree(self, step, num_steps, number):
        self._when = f"at step {step}"
        num_steps, self._signal = self._exchange(num_steps, number)
        return 0 if self._signal else num_steps

    def finish(self, number):
        _, number = self._exchange(0, number or self._signal)
        self._watch.stop()
        return number or None

    def _exchange(self, num_steps, number):
        """Returns (number of steps that the chief wants, number of the signal that a worker received or 0)."""
        table = self._gather(num_steps, number or 0, 0)
        for name, row in zip(self.names, table):
            if row[2]:
                self._over = True
                raise Failure(f"{name} failed {self._when}; it has said why")
        return int(table[0, 0]), int(table[:, 1].max())

    @contextlib.contextmanager
    def together(self):
        try:
            yield
        except tf.errors.OpError:
            raise  # perhaps in the middle of a step: the others will detect that this worker is gone
        except Exception:
            if not self._over:  # the others are in `agree`, or will be soon unless they wait for this one elsewhere
                telling = threading.Thread(target=self._gather, args=(0, 0, 1), daemon=True)
                telling.start()
                telling.join(_SECONDS_TO_END)
            raise

    @contextlib.contextmanager
    def explained(self):
        try:
            yield
        except BaseException as error:
            if isinstance(error, UserError) and not self._watch.is_alive():
                self.refused(error)
            if self._watch.is_alive():
                signal.alarm(2 * _SECONDS_TO_END)  # TensorFlow's shutdown may wait for the others
            if not isinstance(error, _BROKEN):
                raise
            time.sleep(_PERIOD * (_LOST_AFTER + 3))  # by then PeerWatch has ended this process and named the lost one
            reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
            raise Failure(f"{self.name} lost touch with the others {self._when}: {reason}{self._hint()}") from error

    def _hint(self):
        return f"; go on with: {self.way_back}{self.where}" if self.way_back else ""

    def _end(self, name, what):
        """Ends this process, which may be waiting inside TensorFlow for a worker that is gone."""
        line = f"{pathlib.PurePath(sys.argv[0]).name}: {name} {what.format(when=self._when)}{self._hint()}\n"
        os.write(self._stderr, line.encode())
        os._exit(1)


class PeerWatch(threading.Thread):
    """Checks the ports of the other workers while training runs.

    TensorFlow detects lost workers too, but not everywhere, and its messages are not meant for users.
    """

    def __init__(self, others, end, period=_PERIOD, patience=_PATIENCE):
        """`others`: {name: (host, port)}; `end(name, what)` is called once, for the first worker found missing."""
        super().__init__(name="watch", daemon=True)
        self._others, self._end, self._period, self._patience = others, end, period, patience
        self._stopped = threading.Event()

    def run(self):
        began, seen, missed = time.monotonic(), set(), dict.fromkeys(self._others, 0)
        told = began - 50.0  # the first message after 10 seconds, then one a minute
        while not self._stopped.wait(self._period):
            for name, address in self._others.items():
                missed[name] = 0 if _is_up(address, 2 * self._period) else missed[name] + 1
                seen.update([name] * (not missed[name]))
                if name in seen and missed[name] >= _LOST_AFTER:
                    return self._stopped.is_set() or self._end(name, "was lost {when}")
            absent = [name for name in self._others if name not in seen]
            now = time.monotonic()
            if absent and now - began > self._patience:
                return self._end(absent[0], f"did not come up within {self._patience:.0f} seconds")
            if absent and now - told > 60.0:
                terminal.say(f"waiting for {', '.join(absent)}")
                told = now

    def stop(self):
        self._stopped.set()


def _is_up(address, timeout):
    try:
        socket.create_connection(address, timeout).close()
    except OSError:
        return False
    return True


class _Reception(threading.Thread):
    """Answers each worker that asks at this worker's port, for as long as the `with` block lasts.

    `met`: {name of a worker that has the answer: its process}; `process`: a name for this one, which no other has.
    Raises UserError if the port is taken.
    """

    def __init__(self, port, name, answer):
        super().__init__(daemon=True)
        self.met, self.process, self._answer, self._closed = {}, uuid.uuid4().hex, answer, threading.Event()
        both = {"family": socket.AF_INET6, "dualstack_ipv6": True} if socket.has_dualstack_ipv6() else {}
        try:  # TensorFlow's own message for this fills a page
            self._socket = socket.create_server(("", port), **both)
            self._socket.settimeout(0.1)
        except OSError as error:
            raise UserError(f"TF_CONFIG: {name} cannot listen on its port: {error.strerror}") from error

    def run(self):
        while not self._closed.is_set():
            with contextlib.suppress(OSError, ValueError):  # nobody calls, or somebody who is no worker
                caller, _ = self._socket.accept()
                with caller, _lines(caller) as lines:
                    name, process = lines.readline().strip(), lines.readline().strip()
                    lines.write(f"{self._answer}\n{self.process}\n")
                    lines.flush()
                    if lines.readline().strip() == _THANKS:
                        self.met[name] = process

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *error):
        self._closed.set()
        self.join()
        self._socket.close()


def _ask(address, name, process) -> tuple:
    """(answer, process) of the worker at `address` to the worker `name`, which is `process`; ("", "") without any."""
    try:
        with socket.create_connection(address, 2.0) as peer, _lines(peer) as lines:
            lines.write(f"{name}\n{process}\n")
            lines.flush()
            answer = lines.readline().strip(), lines.readline().strip()
            lines.write(f"{_THANKS}\n")
            lines.flush()
            return answer
    except (OSError, ValueError):
        return "", ""


def _lines(peer):
    """A connection as a file of lines of text, in which whatever is no text is escaped."""
    peer.settimeout(2.0)
    return peer.makefile("rw", encoding="utf-8", errors="backslashreplace", newline="\n")


def refused(error, environment=os.environ):
    """Tells the workers of TF_CONFIG, if there are any, that this one cannot take part."""
    with contextlib.suppress(UserError):
        team(environment).refused(error)


def _pair(address):
    host, _, port = address.rpartition(":")
    return host.strip("[]"), int(port)


def team(environment=os.environ):
    """Returns the `Team` that TF_CONFIG describes; ALONE without TF_CONFIG, or if it has only one worker.

    Raises UserError for an invalid TF_CONFIG.
    """
    text = environment.get("TF_CONFIG", "").strip()
    if not text:
        return ALONE
    try:
        config = json.loads(text)
    except ValueError as error:
        raise UserError(f"TF_CONFIG is not JSON: {error}") from error
    form = '; needed: {"cluster": {"worker": ["HOST:PORT", ...]}, "task": {"type": "worker", "index": N}}'
    for part in ("cluster", "task"):
        if not isinstance(config, dict) or not isinstance(config.get(part), dict):
            raise UserError(f'TF_CONFIG has no "{part}"{form}')
    cluster, task = config["cluster"], config["task"]
    for kind in [*cluster, task.get("type")]:
        if kind not in ("chief", "worker"):
            raise UserError(f"TF_CONFIG: {json.dumps(kind)} is no worker that can train here; possible: worker, chief")
    for kind, addresses in cluster.items():
        if not isinstance(addresses, list) or not all(map(_is_address, addresses)):
            raise UserError(f'TF_CONFIG: {json.dumps(addresses)} for "{kind}" is no list of "HOST:PORT"')
    everyone = [*cluster.get("chief", []), *cluster.get("worker", [])]
    if len(set(everyone)) < len(everyone):
        raise UserError(f"TF_CONFIG: an address is there twice: {', '.join(everyone)}")
    kind, index, own = task["type"], str(task.get("index")), cluster.get(task["type"], [])
    if not own:
        raise UserError(f'TF_CONFIG: the cluster has no "{kind}", which the task is{form}')
    if not index.isdecimal() or int(index) >= len(own):
        raise UserError(f'TF_CONFIG: index {json.dumps(task.get("index"))} of the task: must be from 0 to '
                        f"{len(own) - 1}, the cluster has {len(own)} of type {kind}")
    if len(everyone) < 2:
        return ALONE
    return Team(everyone, everyone.index(own[int(index)]))


def _is_address(value):
    found = isinstance(value, str) and re.fullmatch(r"(?:[^\s:/\[\]]+|\[[0-9A-Fa-f:.]+\]):([0-9]{1,5})", value)
    return bool(found) and 0 < int(found[1]) < 65536
