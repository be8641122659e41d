from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from ignite.engine import Engine, Events

from cgl_ignite.config.schema import CheckpointEvery
from cgl_ignite.errors import InputError, RunFailed
from cgl_ignite.handlers import checkpoint
from cgl_ignite.handlers.checkpoint import Checkpointer, read_checkpoint
from cgl_ignite.selection import Selected

PATHS = [[0, 1], [1, 0]]
LENGTH, EPOCHS = 3, 5
FACTS = {"run_id": "run-1"}


class Part:
    """Something with a state: a tensor, and what was selected."""

    def __init__(self, value: float = 0.0) -> None:
        self.value = torch.tensor(value)
        self.selected: Selected | None = None

    def state_dict(self) -> dict[str, Any]:
        return {"value": self.value}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.value = state["value"]
        self.selected = Selected(1, 2, 3.0)


class Clock:
    def __init__(self) -> None:
        self.now = 50.0

    def monotonic(self) -> float:
        return self.now


def build(
    folder: Path,
    every: CheckpointEvery,
    paths: list[list[int]] = PATHS,
    step: Callable[[], None] = lambda: None,
) -> tuple[Engine, Checkpointer, dict[str, Part]]:
    """Make an engine whose step adds one to a part, and its checkpointer."""
    parts = {name: Part() for name in ("pool", "optimizer", "averages", "selector")}

    def work(engine: Engine, _: Any) -> None:
        parts["pool"].value = parts["pool"].value + 1
        step()

    engine = Engine(work)
    engine.add_event_handler(Events.STARTED, lambda engine: setattr(engine.state, "paths", torch.tensor(paths)))
    trained = {name: parts[name] for name in ("pool", "optimizer")}
    checkpointer = Checkpointer(folder, trained, parts["averages"], parts["selector"], every, FACTS)
    checkpointer.attach(engine)
    return engine, checkpointer, parts


def train(engine: Engine) -> None:
    engine.run([0] * LENGTH, max_epochs=EPOCHS, epoch_length=LENGTH)


def saved_at(folder: Path, every: CheckpointEvery, step: Callable[[], None] = lambda: None) -> list[int]:
    """Train, and list the iterations after which the file was written anew."""
    engine, checkpointer, _ = build(folder, every, step=step)
    found = []

    def look(engine: Engine) -> None:
        if checkpointer.path.exists():
            found.append(read_checkpoint(checkpointer.path)["trainer"]["iteration"])
            checkpointer.path.unlink()

    engine.add_event_handler(Events.ITERATION_COMPLETED, look)
    engine.add_event_handler(Events.EPOCH_COMPLETED, look)
    train(engine)
    return found


@pytest.mark.parametrize(
    ("every", "iterations"),
    [
        ({"epochs": 1}, [3, 6, 9, 12, 15]),
        ({"epochs": 2}, [6, 12, 15]),
        ({"epochs": 99}, [15]),
        ({"iterations": 4}, [4, 8, 12, 15]),
        ({"iterations": 99}, [15]),
    ],
)
def test_the_interval_in_epochs_and_iterations(tmp_path: Path, every: dict, iterations: list[int]) -> None:
    assert saved_at(tmp_path, CheckpointEvery(**every)) == iterations


def test_the_interval_in_seconds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An iteration takes three seconds, so ten have passed after every fourth."""
    clock = Clock()
    monkeypatch.setattr(checkpoint, "time", clock)

    def three_seconds() -> None:
        clock.now += 3

    assert saved_at(tmp_path, CheckpointEvery(seconds=10), three_seconds) == [4, 8, 12, 15]


def test_what_is_saved(tmp_path: Path) -> None:
    engine, checkpointer, _ = build(tmp_path, CheckpointEvery(epochs=1))
    train(engine)
    assert checkpointer.path == tmp_path / "checkpoint.pt"
    assert list(tmp_path.iterdir()) == [checkpointer.path]
    assert read_checkpoint(checkpointer.path) == {
        "format": 2,
        "facts": {"run_id": "run-1", "paths": PATHS},
        "trainer": {"epoch_length": LENGTH, "iteration": LENGTH * EPOCHS, "max_epochs": EPOCHS},
        "pool": {"value": torch.tensor(15.0)},
        **{name: {"value": torch.tensor(0.0)} for name in ("optimizer", "averages", "selector")},
    }


class Unwritable:
    def __reduce__(self) -> Any:
        raise OSError("disk full")


def test_a_save_that_fails_leaves_the_file_before_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    engine, checkpointer, parts = build(tmp_path, CheckpointEvery(epochs=1))
    train(engine)
    before = checkpointer.path.read_bytes()
    monkeypatch.setattr(parts["pool"], "state_dict", lambda: {"value": torch.zeros(1000), "other": Unwritable()})
    with pytest.raises(OSError, match="disk full"):
        checkpointer.save(engine)
    assert checkpointer.path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [checkpointer.path]


def test_the_file_is_replaced_in_one_step(tmp_path: Path) -> None:
    """Whoever opened the old file still reads all of it."""
    engine, checkpointer, _ = build(tmp_path, CheckpointEvery(iterations=1))
    train(engine)
    whole = checkpointer.path.read_bytes()
    with checkpointer.path.open("rb") as file:
        engine.state.iteration = 1
        checkpointer.save(engine)
        assert file.read() == whole
    assert checkpointer.path.read_bytes() != whole


@pytest.mark.parametrize("every", [{"iterations": 1}, {"iterations": 2}, {"seconds": 1e-9}, {"epochs": 1}])
def test_weights_that_are_not_finite_never_replace_those_before(tmp_path: Path, every: dict) -> None:
    """The weight explodes in iteration 6; what was saved before is kept to the byte."""
    engine, checkpointer, parts = build(tmp_path, CheckpointEvery(**every))
    engine.state.learning_rate = 0.5

    @engine.on(Events.ITERATION_STARTED(once=6))
    def explode(engine: Engine) -> None:
        parts["pool"].value = torch.tensor(float("nan"))

    with pytest.raises(RunFailed, match="weights are not finite after iteration 6, so they are not saved; a smaller"):
        train(engine)
    kept = read_checkpoint(checkpointer.path)
    assert kept["trainer"]["iteration"] < 6
    assert kept["pool"]["value"] == kept["trainer"]["iteration"]
    assert list(tmp_path.iterdir()) == [checkpointer.path]


@pytest.mark.parametrize("stop", [1, 3, 4, 14])
def test_a_run_goes_on_where_it_was_saved(tmp_path: Path, stop: int) -> None:
    engine, checkpointer, _ = build(tmp_path, CheckpointEvery(iterations=1))
    engine.add_event_handler(Events.ITERATION_COMPLETED(once=stop), lambda engine: engine.terminate())
    train(engine)
    found = read_checkpoint(checkpointer.path)
    found["pool"]["value"] = torch.tensor(100.0)

    again, checkpointer, parts = build(tmp_path, CheckpointEvery(iterations=1))
    checkpointer.resume(again, found)
    assert again.state.iteration == stop
    assert parts["pool"].value == 0
    train(again)
    assert all(part.selected for part in parts.values())
    assert again.state.iteration == LENGTH * EPOCHS
    assert parts["pool"].value == 100 + LENGTH * EPOCHS - stop
    assert again.state.selected == Selected(1, 2, 3.0)
    again.fire_event(Events.STARTED)
    assert parts["pool"].value == 100 + LENGTH * EPOCHS - stop


def test_a_fresh_run_restores_nothing(tmp_path: Path) -> None:
    engine, _, parts = build(tmp_path, CheckpointEvery(epochs=1))
    train(engine)
    assert parts["selector"].selected is None


def test_students_with_other_paths_are_refused_before_anything_is_loaded(tmp_path: Path) -> None:
    engine, checkpointer, _ = build(tmp_path, CheckpointEvery(epochs=1))
    engine.add_event_handler(Events.EPOCH_COMPLETED(once=1), lambda engine: engine.terminate())
    train(engine)
    again, checkpointer, parts = build(tmp_path, CheckpointEvery(epochs=1), paths=[[0, 1], [1, 1]])
    checkpointer.resume(again, read_checkpoint(checkpointer.path))
    with pytest.raises(InputError, match=r"checkpoint\.pt: the paths of its students are not those"):
        train(again)
    assert parts["pool"].value == 0


@pytest.fixture
def written(tmp_path: Path) -> Path:
    engine, checkpointer, _ = build(tmp_path, CheckpointEvery(epochs=1))
    train(engine)
    return checkpointer.path


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\.pt: no such checkpoint"):
        read_checkpoint(tmp_path / "none.pt")


@pytest.mark.parametrize("share", [0, 0.1, 0.5, 0.9, 0.999])
def test_a_truncated_file(written: Path, share: float) -> None:
    content = written.read_bytes()
    written.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(InputError, match=r"checkpoint\.pt: not a readable checkpoint"):
        read_checkpoint(written)


def test_a_file_with_a_wrong_byte(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.pt"
    torch.save({"format": 2, "pool": torch.full((64,), 0.5)}, path)
    content = bytearray(path.read_bytes())
    at = content.index(torch.full((64,), 0.5).numpy().tobytes())
    content[at + 10] ^= 1
    path.write_bytes(content)
    with pytest.raises(InputError, match="not a readable checkpoint"):
        read_checkpoint(path)


@pytest.mark.parametrize("content", [b"no checkpoint", bytes(range(256)), b"PK\x03\x04" + bytes(100)])
def test_another_file(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "notes.txt"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"notes\.txt: not a readable checkpoint"):
        read_checkpoint(path)


def test_a_folder(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="not a readable checkpoint"):
        read_checkpoint(tmp_path)


@pytest.mark.parametrize("content", [{"format": 1}, {"pool": {}}, {}, [1, 2], torch.zeros(3)])
def test_a_file_of_another_program_or_format(tmp_path: Path, content: Any) -> None:
    torch.save(content, tmp_path / "other.pt")
    with pytest.raises(InputError, match=r"other\.pt: not a checkpoint of this program \(format 2 expected\)"):
        read_checkpoint(tmp_path / "other.pt")


class Trap:
    """Runs code when it is unpickled."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> Any:
        return (Path.mkdir, (self.folder,))


def test_a_file_never_runs_code(tmp_path: Path) -> None:
    torch.save({"format": 2, "trap": Trap(tmp_path / "sprung")}, tmp_path / "trap.pt")
    with pytest.raises(InputError, match="not a readable checkpoint"):
        read_checkpoint(tmp_path / "trap.pt")
    assert not (tmp_path / "sprung").exists()
