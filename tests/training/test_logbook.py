"""metrics.jsonl of long trainings: read line by line, thinned out, cut."""
import json
import tracemalloc

from tf2gan.runs import logbook, run_folder


def line(step, **values):
    return {"step": step, "images": 4 * step, "images_per_second": 1.0, **values}


def test_few_lines_are_all_kept():
    lines = [line(step) for step in range(10)]
    assert logbook.Thinned(lines, most=10) == lines


def test_older_lines_are_thinned_out_evenly_and_newer_ones_are_not():
    kept = logbook.Thinned(map(line, range(100_000)), most=100)
    steps = [each["step"] for each in kept]
    assert 50 < len(steps) <= 100 and steps[0] == 0 and steps[-50:] == list(range(99_950, 100_000))
    every = steps[1]
    assert every <= 100_000 / 10 and steps[:10] == list(range(0, 10 * every, every))


def test_evaluations_are_all_kept():
    lines = [{"step": step, "images": step} if step % 500 == 3 else line(step) for step in range(10_000)]
    kept = logbook.Thinned(lines, most=100, whole=logbook.is_evaluation)
    assert [each["step"] for each in kept if logbook.is_evaluation(each)] == list(range(3, 10_000, 500))
    assert len(kept) <= 120


def test_more_evaluations_than_lines_are_all_kept():
    lines = [{"step": step, "images": step} if step % 2 else line(step) for step in range(1000)]
    kept = logbook.Thinned(lines, most=100, whole=logbook.is_evaluation)
    assert [each["step"] for each in kept if logbook.is_evaluation(each)] == list(range(1, 1000, 2))
    assert 50 < sum(not logbook.is_evaluation(each) for each in kept) <= 100 and kept[0]["step"] == 0


def test_what_the_loop_logs_is_thinned_out_too(tmp_path):
    """Its lines have no images per second."""
    run = object.__new__(run_folder.Run)
    run.path = tmp_path
    history = run.logs()
    for step in range(3 * logbook.MOST):
        history.append({"images": step, "loss": 0.0})
    assert len(history) <= logbook.MOST and history[0]["images"] == 0 and history[-1]["images"] == 3 * logbook.MOST - 1


def test_what_a_kill_left_is_passed_over(tmp_path):
    path = tmp_path / "metrics.jsonl"
    assert list(logbook.read(path)) == []
    path.write_text('{"step": 1}\n{"step": 2}\n{"ste')
    assert list(logbook.read(path)) == [{"step": 1}, {"step": 2}]


def peak_memory(folder, num):
    """Bytes that it takes to read a log of `num` lines, and to cut the last tenth off."""
    folder.mkdir()
    values = {f"loss_{i}": 0.1 * i for i in range(8)}
    with open(folder / "metrics.jsonl", "w", encoding="utf-8") as file:
        file.writelines(json.dumps(line(step, **values)) + "\n" for step in range(1, num + 1))
    run = object.__new__(run_folder.Run)
    run.path = folder
    tracemalloc.start()
    try:
        assert len(run.logs()) <= logbook.MOST and run.history()[-1]["step"] == num
        run.remove_leftovers(4 * (num - num // 10))
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
        assert [each["step"] for each in run.metrics()] == list(range(1, num - num // 10 + 1))


def test_memory_does_not_grow_with_the_log(tmp_path):
    assert peak_memory(tmp_path / "long", 40_000) < 1.1 * peak_memory(tmp_path / "short", 10_000)
