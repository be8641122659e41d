from __future__ import annotations

import multiprocessing
import os
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import torch

from cgl_ignite.data import CharacterTokenizer
from cgl_ignite.data.text.cache.files import cache_folder, kept, key_of
from cgl_ignite.data.text.cache.store import encoded, read_targets
from cgl_ignite.data.text.corpus import Block, Corpus, files_identity
from cgl_ignite.errors import InputError
from cgl_ignite.progress import ProgressReport, watching

ENCODER = CharacterTokenizer(6, "batch")
TEXTS = ["abc", "", "a much longer text", "d"]


class Counted:
    """A corpus of two blocks that counts how often it is read."""

    def __init__(self, folder: Path, identity: str = "one") -> None:
        self.readings = 0
        self.corpus = Corpus("Counted", identity, folder, self._read)

    def _read(self) -> Iterator[Block]:
        self.readings += 1
        for first in (0, 2):
            yield Block(pa.array(TEXTS[first : first + 2]), np.array([first, first + 1]), (first + 2) / 4)


def test_rows_are_encoded_once_and_cut_off_when_they_are_read(tmp_path: Path) -> None:
    counted = Counted(tmp_path)
    for _ in range(2):
        rows = encoded(counted.corpus, ENCODER, "characters")
        assert rows.targets.tolist() == [0, 1, 2, 3]
        assert rows.inputs.padded().equal(ENCODER.encode(TEXTS))
    assert counted.readings == 1
    longer = encoded(counted.corpus, CharacterTokenizer(10, "full"), "characters")
    assert longer.inputs.padded().equal(CharacterTokenizer(10, "full").encode(TEXTS))
    assert counted.readings == 1


@pytest.mark.parametrize(("identity", "settings"), [("two", "characters"), ("one", "others")])
def test_other_data_or_settings_are_encoded_anew(tmp_path: Path, identity: str, settings: str) -> None:
    encoded(Counted(tmp_path).corpus, ENCODER, "characters")
    other = Counted(tmp_path, identity)
    encoded(other.corpus, ENCODER, settings)
    assert other.readings == 1


def test_chosen_rows_are_a_corpus_of_their_own(tmp_path: Path) -> None:
    counted = Counted(tmp_path)
    rows = encoded(counted.corpus.only(torch.tensor([1, 2])), ENCODER, "characters")
    assert rows.targets.tolist() == [1, 2]
    assert rows.inputs.padded().equal(ENCODER.encode(TEXTS[1:3]))
    assert len(encoded(counted.corpus.only(torch.tensor([3])), ENCODER, "characters")) == 1
    assert counted.readings == 2
    assert len(encoded(counted.corpus.only(torch.tensor([], dtype=torch.int64)), ENCODER, "characters")) == 0
    assert [block.targets.tolist() for block in counted.corpus.only(torch.tensor([0])).read()] == [[0]]
    assert counted.readings == 3


def test_classes_are_read_without_encoding(tmp_path: Path) -> None:
    counted = Counted(tmp_path)
    assert [read_targets(counted.corpus).tolist() for _ in range(2)] == [[0, 1, 2, 3]] * 2
    assert counted.readings == 1


def test_what_fails_leaves_nothing_behind(tmp_path: Path) -> None:
    def fail(folder: Path) -> None:
        (folder / "half").write_text("half")
        raise InputError("row 7")

    with pytest.raises(InputError, match="row 7"):
        kept(tmp_path, "key", fail)
    assert [path.name for path in tmp_path.iterdir()] == ["key.lock"]
    (tmp_path / ".key-killed").mkdir()
    assert kept(tmp_path, "key", lambda folder: None) == tmp_path / "key"
    assert {path.name for path in tmp_path.iterdir()} == {"key", "key.lock"}


def _note(folder: Path, log: Path) -> None:
    with log.open("a") as file:
        file.write("written\n")
    (folder / "value").write_text("whole")


def _keep(folder: Path, log: Path) -> None:
    assert (kept(folder, "key", lambda new: _note(new, log)) / "value").read_text() == "whole"


def test_processes_that_start_together_do_the_work_once(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    log = tmp_path / "log"
    workers = [context.Process(target=_keep, args=(tmp_path / "cache", log)) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert [worker.exitcode for worker in workers] == [0] * 4
    assert log.read_text() == "written\n"


def test_no_room_is_an_error_of_the_user(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match=r"cannot write to .*file/encoded.*choose another data.root"):
        kept(tmp_path / "file" / "encoded", "key", lambda folder: None)


def test_the_folder_is_below_the_root_or_the_users_if_that_is_read_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert cache_folder(tmp_path / "not" / "there") == tmp_path / "not" / "there" / "encoded"
    (tmp_path / "encoded").mkdir()
    monkeypatch.setattr(os, "access", lambda path, mode: path != tmp_path / "encoded")
    assert cache_folder(tmp_path) == Path.home() / ".cache" / "cgl_ignite" / "encoded"


def test_files_are_told_apart_by_size_and_time(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("1,a")
    first = files_identity(path)
    assert files_identity(path) == first
    os.utime(path, ns=(0, 0))
    second = files_identity(path)
    path.write_text("1,ab")
    os.utime(path, ns=(0, 0))
    assert len({first, second, files_identity(path)}) == 3
    assert key_of("a", 1) == key_of("a", "1") != key_of("a", 2)


def test_progress_is_told_to_who_watches(tmp_path: Path) -> None:
    told: list[ProgressReport] = []
    with watching(told.append):
        encoded(Counted(tmp_path).corpus, ENCODER, "characters")
    encoded(Counted(tmp_path, "two").corpus, ENCODER, "characters")
    assert told == [("encoding Counted", rows, done, "rows") for rows, done in ((2, 0.5), (4, 1.0), (4, 1.0))]


def test_memory_does_not_grow_with_the_rows(tmp_path: Path) -> None:
    """A hundred blocks of a mebibyte are written with the memory of a few."""

    def read() -> Iterator[Block]:
        for number in range(100):
            yield Block(pa.array(["x" * 2**10] * 2**10), np.zeros(2**10, np.int64), number / 100)

    tracemalloc.start()
    rows = encoded(Corpus("large", "large", tmp_path, read), ENCODER, "characters")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(rows) == 100 * 2**10
    assert peak < 16 * 2**20
