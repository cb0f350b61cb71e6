"""One training in several processes, as on several machines."""
import concurrent.futures
import json
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import types

import numpy as np
import pytest
import tensorflow as tf
import tool
from PIL import Image

from tf2gan.core.errors import Failure, UserError
from tf2gan.data import load, pipeline
from tf2gan.training import cluster

# SGD, since Adam hides wrong factors. No dropout, whose dice differ between replicas.
PLAIN = {"cyclegan": (*tool.SMALL, "--image-size", "64", "--optimizer", "sgd", "--learning-rate", "0.001",
                      "--batch-size", "2"),
         "dcgan": (*tool.small("dcgan"), "--generator-optimizer", "sgd", "--discriminator-optimizer", "sgd",
                   "--discriminator-dropout", "0", "--batch-size", "8"),
         "gan": tool.small("gan")}
EVERY = ("--log-every", "3", "--sample-every", "3", "--checkpoint-every", "3")
STEPS = 3


def free_ports(num):
    taken = [socket.socket() for _ in range(num)]
    for each in taken:
        each.bind(("localhost", 0))
    ports = [each.getsockname()[1] for each in taken]
    for each in taken:
        each.close()
    return ports


def tf_config(index, ports=(1001, 1002), **changes):
    return json.dumps({"cluster": {"worker": [f"localhost:{port}" for port in ports]},
                       "task": {"type": "worker", "index": index}, **changes})


class Pair:
    """Two workers, each in an empty folder of its own; with `hold`, the chief is held at a step, see saboteur.py."""

    def __init__(self, place, *args, hold=None):
        self.place, ports, self.processes = place, free_ports(2), []
        sabotage = [tool.ROOT / "tests" / "saboteur.py", f"hold:{hold}:{place}"] if hold else []
        for index in (0, 1):
            folder = place / f"worker{index}"
            folder.mkdir(parents=True)
            command = [sys.executable, *(sabotage if index == 0 else []), tool.ROOT / "tools" / "train.py", *args]
            with open(place / f"out{index}", "w") as out, open(place / f"err{index}", "w") as err:
                self.processes.append(subprocess.Popen(
                    [*map(str, command)], cwd=folder, stdout=out, stderr=err,
                    env={**tool.environment(), "TF_CONFIG": tf_config(index, ports)}))

    def held(self):
        """Returns once the chief is held; the other one waits for it, or will soon."""
        tool.wait_until(lambda: (self.place / "held").exists() or any(p.poll() is not None for p in self.processes))
        assert [p.poll() for p in self.processes] == [None, None], self.text("err")

    def release(self):
        (self.place / "released").touch()

    def ended(self):
        """The exit codes of both."""
        return [process.wait(300) for process in self.processes]

    def text(self, what):
        return [(self.place / f"{what}{index}").read_text() for index in (0, 1)]

    def __enter__(self):
        return self

    def __exit__(self, *args):
        for process in self.processes:
            process.kill()
            process.wait()
        assert not list((self.place / "worker1").iterdir()), "only the chief writes"


def make_noise(folder):
    """A folder data set of noise that is never enlarged; returns its path.

    In smooth images, and in maps of 2x2 pixels, normalization divides by next to nothing, which on some processors makes
    of rounding errors differences of 4e-4 between one replica and two.
    """
    random = np.random.default_rng(0)
    for split, num in tool.NUM_IMAGES.items():
        (folder / split).mkdir(parents=True)
        for i in range(num):
            Image.fromarray(random.integers(0, 256, [90, 90, 3], np.uint8)).save(folder / split / f"{i}.png")
    return folder


def alone(*args):
    process = tool.run_here(*args)
    assert process.returncode == 0, process.stderr
    return process


def assert_same_weights(found, expected):
    """Asserts that the tensors of two checkpoints are equal but for rounding, except the pool that each replica has."""
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        if "/pool_" not in name:
            np.testing.assert_allclose(found[name], value, rtol=0, atol=1e-6, err_msg=name)


@pytest.fixture(scope="module")
def pairs(tmp_path_factory):
    """{name: future of what a story returns}, all at the same time, since each waits for the others mostly."""
    data = {"cyclegan": make_noise(tmp_path_factory.mktemp("noise") / "fruit"),
            "dcgan": tool.shared_class_images(tmp_path_factory)}
    with concurrent.futures.ThreadPoolExecutor(2) as executor:
        yield {story.__name__: executor.submit(story, tmp_path_factory.mktemp("workers"), data)
               for story in (trained, terminated, killed_chief)}


def trained(place, data):
    """Two workers to the end of a run, one goes on, two go on until one is killed; (folder, pair of the first)."""
    folder = place / "run"
    args = [*PLAIN["dcgan"], *EVERY, "--dataset", data["dcgan"]]
    with Pair(place / "first", *args, "--steps", STEPS, "--run-dir", folder) as first:
        assert first.ended() == [0, 0], first.text("err")
    before, found = tool.contents(folder), tool.tensors(folder)
    process = tool.run("--resume", folder, "--steps", 2 * STEPS)
    assert process.returncode == 0, process.stderr
    with Pair(place / "second", "--resume", folder, "--steps", 100_000, hold=4 * STEPS) as second:
        second.held()
        second.processes[1].kill()
        second.release()
        codes = second.ended()
    return types.SimpleNamespace(folder=folder, args=args, first=first, before=before, tensors=found, second=second,
                                 codes=codes)


def terminated(place, data):
    """Two workers, of which the one that is not the chief gets SIGTERM after `STEPS` steps.

    It may have agreed to the next ones by then, at most as many, or still be on its way there.
    """
    folder = place / "run"
    args = [*PLAIN["cyclegan"], *EVERY, "--dataset", data["cyclegan"]]
    with Pair(place / "pair", *args, "--steps", 100_000, "--run-dir", folder, hold=STEPS) as pair:
        pair.held()
        pair.processes[1].send_signal(signal.SIGTERM)
        pair.release()
        codes = pair.ended()
    found = {path.name: path for path in (folder / "checkpoints").iterdir()}
    shutil.copytree(found[f"{2 * STEPS:010d}"], place / "early" / "checkpoints" / "0")
    return types.SimpleNamespace(folder=folder, early=place / "early", args=args, pair=pair, codes=codes)


def killed_chief(place, data):
    with Pair(place / "pair", *PLAIN["gan"], *EVERY, "--dataset", data["dcgan"], "--steps", 100_000, "--run-dir",
              place / "run", hold=STEPS) as pair:
        pair.held()
        pair.processes[0].kill()
        return types.SimpleNamespace(folder=place / "run", pair=pair, codes=pair.ended())


def test_two_workers_make_the_update_of_one_process(pairs, tmp_path):
    story = pairs["trained"].result()
    alone(*story.args, "--steps", STEPS, "--run-dir", tmp_path / "one")
    expected = tool.tensors(tmp_path / "one")
    assert_same_weights(story.tensors, expected)


def test_two_workers_make_the_update_of_one_process_for_cyclegan_too(pairs, tmp_path):
    story = pairs["terminated"].result()
    alone(*story.args, "--steps", STEPS, "--run-dir", tmp_path / "one")
    assert_same_weights(tool.tensors(story.early), tool.tensors(tmp_path / "one"))


def test_only_the_chief_writes_and_tells(pairs):
    story = pairs["trained"].result()
    assert {re.sub(r"events.*|\d{10}", "*", name) for name in story.before} == {
        ".lock", "config.json", "metrics.jsonl", "*", "samples/*.png", "checkpoints/*/info.json",
        "checkpoints/*/state.index", "checkpoints/*/state.data-00000-of-00001"}
    assert sum(name.startswith("events") for name in story.before) == 1
    (chief, other), (chief_errors, other_errors) = story.first.text("out"), story.first.text("err")
    assert "trained on 12 images" in chief and "step 3/3" in chief_errors
    assert re.fullmatch(r"worker 1 of 2 \(localhost:\d+\): done; the run is in \S+\n", other) and not other_errors


def assert_lost(lines, lost, folder):
    """Asserts that a worker said in one line that another one was lost, and nothing else but how far it was."""
    told = "step |run folder: |data: |training: |time: |samples after |waiting for "
    lines = [line for line in lines.splitlines() if not re.match(told, line)]
    assert len(lines) == 1, lines
    assert re.fullmatch(rf"train\.py: worker {lost} of 2 \(localhost:\d+\) was lost at step \d+; go on with: "
                        rf"tools/train\.py --resume {folder} on each host", lines[0])


def test_a_killed_worker_ends_the_chief(pairs):
    story = pairs["trained"].result()
    assert story.codes == [1, -signal.SIGKILL]
    assert_lost(story.second.text("err")[0], 1, story.folder)
    # Both a run of two workers that one process went on with, and one of one process that two went on with.
    assert [line["step"] for line in tool.metrics(story.folder)][:4] == [3, 6, 9, 12]


def test_a_killed_chief_ends_the_worker(pairs):
    story = pairs["killed_chief"].result()
    assert story.codes == [-signal.SIGKILL, 1]
    assert_lost(story.pair.text("err")[1], 0, story.folder)


def test_a_signal_to_one_worker_ends_all_with_a_checkpoint(pairs):
    story = pairs["terminated"].result()
    assert story.codes == [143, 143]
    *first, last = tool.checkpoints(story.folder)
    # At once, or after the call that both had agreed to, of as many steps as were quick.
    assert (first, last) == ([], STEPS) or first == [STEPS] and STEPS < last <= 2 * STEPS
    assert story.pair.text("out")[0] == (f"interrupted after {2 * last} of 200000 images, saved; go on with: "
                                         f"tools/train.py --resume {story.folder} on each host\n")
    assert not story.pair.text("err")[1]
    alone("--resume", story.folder, "--steps", last + 1)
    assert tool.checkpoints(story.folder) == [*first, last, last + 1]


# TF_CONFIG.

@pytest.mark.parametrize("text, message", [
    ("{", "TF_CONFIG is not JSON: "),
    ("[]", 'TF_CONFIG has no "cluster"; needed: {"cluster": '),
    ('{"cluster": {"worker": ["a:1", "b:1"]}}', 'TF_CONFIG has no "task"; needed: '),
    (tf_config(2), "TF_CONFIG: index 2 of the task: must be from 0 to 1, the cluster has 2 of type worker"),
    (tf_config(-1), "TF_CONFIG: index -1 of the task: must be from 0 to 1"),
    (tf_config(None), "TF_CONFIG: index null of the task: must be from 0 to 1"),
    (tf_config(0, task={"type": "ps", "index": 0}), 'TF_CONFIG: "ps" is no worker that can train here; possible: '),
    (tf_config(0, cluster={"worker": ["a:1"], "evaluator": ["b:1"]}), 'TF_CONFIG: "evaluator" is no worker'),
    (tf_config(0, task={"type": "chief", "index": 0}), 'TF_CONFIG: the cluster has no "chief", which the task is'),
    (tf_config(0, cluster={"worker": ["a"]}), 'TF_CONFIG: ["a"] for "worker" is no list of "HOST:PORT"'),
    (tf_config(0, cluster={"worker": ["a:0", "b:1"]}), 'TF_CONFIG: ["a:0", "b:1"] for "worker" is no list'),
    (tf_config(0, ports=(7, 7)), "TF_CONFIG: an address is there twice: localhost:7, localhost:7"),
])
def test_bad_tf_config(text, message):
    with pytest.raises(UserError, match=re.escape(message)) as error:
        cluster.team({"TF_CONFIG": text})
    assert "\n" not in str(error.value)


def test_tf_config_of_one_worker_changes_nothing():
    assert cluster.team({}) is cluster.team({"TF_CONFIG": tf_config(0, ports=(7,))}) is cluster.ALONE


@pytest.mark.parametrize("kind, index, expected", [("chief", 0, 0), ("worker", 0, 1), ("worker", "1", 2)])
def test_the_chief_comes_first(kind, index, expected):
    team = cluster.team({"TF_CONFIG": tf_config(0, cluster={"chief": ["a:1"], "worker": ["b:1", "c:1"]},
                                                task={"type": kind, "index": index})})
    assert (team.share, team.number, team.is_chief) == ((expected, 3), 3, expected == 0)
    assert team.name == f"worker {expected} of 3 ({'abc'[expected]}:1)"


@pytest.mark.parametrize("args, text, message", [
    (["--run-dir", "RUN"], "{", "TF_CONFIG is not JSON"),
    ([], tf_config(0), "--run-dir is needed with the 2 workers of TF_CONFIG: a folder that all of them see"),
    (["--run-dir", "RUN", "--replicas", 2], tf_config(0), "--replicas 2: not with the 2 workers of TF_CONFIG"),
])
def test_what_workers_cannot_be_asked_for(args, text, message, tmp_path, monkeypatch, tmp_path_factory):
    monkeypatch.setattr(cluster, "_SECONDS_TO_TELL", 0.1)  # there are no others
    monkeypatch.setenv("TF_CONFIG", text)
    args = [str(arg).replace("RUN", str(tmp_path / "run")) for arg in args]
    process = tool.run_here(*PLAIN["gan"], "--dataset", tool.shared_class_images(tmp_path_factory), *args)
    assert process.returncode == 2
    assert process.stderr.splitlines()[-1].startswith(f"train.py: {message}") and not list(tmp_path.iterdir())


def teams(ports):
    return [cluster.team({"TF_CONFIG": tf_config(index, ports)}) for index in range(len(ports))]


def test_workers_meet_whoever_comes_first():
    for delays in ((0.0, 0.0, 0.0), (0.0, 0.5, 0.1), (0.7, 0.0, 0.3)):
        met = []

        def come(team, delay):
            threading.Event().wait(delay)
            team._meet()
            met.append(team.name)

        threads = [threading.Thread(target=come, args=pair) for pair in zip(teams(free_ports(3)), delays)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)
        assert len(met) == 3


def test_a_worker_that_is_started_again_while_others_wait():
    ports = free_ports(3)
    first, _, third = teams(ports)
    met = []

    def come(team):
        team._meet()
        met.append(team.name)

    # A worker that has met the first, and is gone before the third comes.
    waiting = threading.Thread(target=come, args=[first])
    waiting.start()
    with cluster._Reception(ports[1], "the one before", "ready") as before:
        tool.wait_until(lambda: cluster._ask(("localhost", ports[0]), first.names[1], before.process)[0] == "ready")
        tool.wait_until(lambda: before.met)
    threads = [waiting, *(threading.Thread(target=come, args=[team]) for team in (teams(ports)[1], third))]
    for thread in threads[1:]:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert len(met) == 3


@pytest.mark.parametrize("greeting", [b"", b"\x16\x03\x01\xff\xfe", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"\n" * 9])
def test_strangers_at_the_door_are_no_workers(greeting):
    ports = free_ports(2)
    met = []

    def come(team):
        team._meet()
        met.append(team.name)

    first, second = teams(ports)
    threads = [threading.Thread(target=come, args=[first])]
    threads[0].start()
    tool.wait_until(lambda: cluster._is_up(("localhost", ports[0]), 1))
    with socket.create_connection(("localhost", ports[0])) as stranger:
        stranger.sendall(greeting)
        stranger.shutdown(socket.SHUT_WR)
    threads.append(threading.Thread(target=come, args=[second]))
    threads[1].start()
    for thread in threads:
        thread.join(20)
    assert len(met) == 2


def test_workers_on_ipv6(monkeypatch):
    if not socket.has_dualstack_ipv6():
        pytest.skip("this machine has no IPv6")
    ports = free_ports(2)
    config = {"worker": [f"[::1]:{port}" for port in ports]}
    met = []
    threads = [threading.Thread(target=lambda team=cluster.team({"TF_CONFIG": tf_config(index, cluster=config)}): (
        team._meet(), met.append(team.name))) for index in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert len(met) == 2


def test_a_worker_that_cannot_take_part_tells_the_others():
    first, second = teams(free_ports(2))
    refuses = threading.Thread(target=second.refused, args=(UserError("--dataset nowhere: {what} is wrong"),))
    refuses.start()
    with pytest.raises(Failure, match=re.escape(f"{second.name} cannot take part: --dataset nowhere: {{what}} is wro")):
        first._meet()
    refuses.join(5)
    assert not refuses.is_alive(), "nobody else is to be told"


def test_a_worker_that_never_comes(monkeypatch, capsys):
    monkeypatch.setattr(cluster, "_PATIENCE", 0.3)
    first, second = teams(free_ports(2))
    with pytest.raises(Failure, match=re.escape(f"{second.name} did not come up within 0 seconds")):
        first._meet()


def test_a_refused_worker_ends_the_other_which_waits(tmp_path, tmp_path_factory):
    """Of two machines, one types a flag that does not exist: the other would wait for ten minutes."""
    data = str(tool.shared_class_images(tmp_path_factory))
    args = [*map(str, PLAIN["gan"]), "--dataset", data, "--run-dir", str(tmp_path / "run")]
    ports = free_ports(2)
    processes = [subprocess.Popen([sys.executable, str(tool.ROOT / "tools" / "train.py"), *args, *more], text=True,
                                  stderr=subprocess.PIPE, stdout=subprocess.PIPE, cwd=tmp_path,
                                  env={**tool.environment(), "TF_CONFIG": tf_config(index, ports)})
                 for index, more in ((0, []), (1, ["--stepz", "3"]))]
    (_, err0), (_, err1) = [process.communicate(timeout=120) for process in processes]
    assert [process.returncode for process in processes] == [1, 2], (err0, err1)
    assert err0.splitlines()[-1].startswith(f"train.py: worker 1 of 2 (localhost:{ports[1]}) cannot take part: ")
    assert all("unknown argument --stepz" in err.splitlines()[-1] for err in (err0, err1))
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_worker_that_waits_can_be_ended_at_once(tmp_path, tmp_path_factory, number):
    ports = free_ports(2)
    process = subprocess.Popen(
        [sys.executable, str(tool.ROOT / "tools" / "train.py"), *map(str, PLAIN["gan"]), "--dataset",
         str(tool.shared_class_images(tmp_path_factory)), "--run-dir", str(tmp_path / "run")], text=True,
        stderr=subprocess.PIPE, env={**tool.environment(), "TF_CONFIG": tf_config(0, ports)},
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler))
    assert "waiting for worker 1 of 2" in process.stderr.readline()
    process.send_signal(number)
    _, err = process.communicate(timeout=20)
    assert process.returncode == (130 if number == signal.SIGINT else -signal.SIGTERM)
    assert "Traceback" not in err and not (tmp_path / "run").exists()


def test_a_port_that_is_taken():
    with socket.socket() as other:
        other.bind(("", 0))
        other.listen()
        team = cluster.team({"TF_CONFIG": tf_config(0, ports=(other.getsockname()[1], 1))})
        with pytest.raises(UserError, match=r"TF_CONFIG: worker 0 of 2 \(localhost:\d+\) cannot listen on its port: "):
            team.connect()


# Who is lost.

def watched(addresses, patience=600.0):
    """(started PeerWatch, list of what it called `end` with, event of that)"""
    found, called = [], threading.Event()

    def end(*args):
        found.append(args)
        called.set()

    watch = cluster.PeerWatch(addresses, end, period=0.02, patience=patience)
    watch.start()
    return watch, found, called


def test_a_worker_is_lost_when_its_port_is_closed():
    with socket.create_server(("localhost", 0)) as first, socket.create_server(("localhost", 0)) as second:
        watch, found, called = watched({"a": first.getsockname(), "b": second.getsockname()})
        assert not called.wait(0.5)
        second.close()
        assert called.wait(20)
    assert found == [("b", "was lost {when}")]


def test_no_worker_is_lost_once_watching_has_stopped():
    with socket.create_server(("localhost", 0)) as other:
        watch, found, called = watched({"a": other.getsockname()})
        assert not called.wait(0.3)
        watch.stop()
    watch.join(20)
    assert not found and not watch.is_alive()


def test_a_worker_that_never_comes_up():
    _, found, called = watched({"a": ("localhost", free_ports(1)[0])}, patience=0.3)
    assert called.wait(20)
    assert found == [("a", "did not come up within 0 seconds")]


# Each example goes to one worker.

def numbered(num, mixed_sizes):
    """A Split whose examples are grey images of their numbers."""
    records = tf.data.Dataset.range(num)
    size = (None, None) if mixed_sizes else (4, 4)
    return load.Split(name="train", num_examples=num, records=records, record_bytes=8,
                      image_shape=(*size, 1), class_names=None,
                      decode=lambda i: {"image": tf.fill([4, 4, 1], tf.cast(i, tf.uint8))})


@pytest.mark.parametrize("mixed_sizes", [False, True])
@pytest.mark.parametrize("start", [0, 12, 26])
def test_shares_make_up_the_batch(mixed_sizes, start):
    split = numbered(13, mixed_sizes)
    config = types.SimpleNamespace(seed=3, image_shape=(4, 4), channels=1, mirror=False)

    def images(share):
        dataset = pipeline.image_batches(split, config, 6, start, share).take(5)
        return np.stack([batch["images"].numpy() for batch in dataset])

    whole, parts = images((0, 1)), [images((i, 3)) for i in range(3)]
    assert [part.shape for part in parts] == [(5, 2, 4, 4, 1)] * 3
    np.testing.assert_array_equal(np.concatenate(parts, axis=1), whole)
    assert len({int(round((value + 1) * 127.5)) for value in whole[:2, :, 0, 0, 0].ravel()}) >= 10
