from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import ClassVar

import pytest

from cgl_ignite.data import Archive
from cgl_ignite.errors import InputError

Tiny = tuple[Archive, Path]


class Noting(http.server.SimpleHTTPRequestHandler):
    """Keeps what was asked for."""

    asked: ClassVar[list[str]] = []

    def log_message(self, *message: object) -> None:
        self.asked.append(f"{self.command} {self.path}")


@pytest.fixture
def served(tiny_cifar10: Tiny, tmp_path: Path) -> Iterator[Tiny]:
    """The archive on a web server, and an empty root."""
    files, root = tiny_cifar10
    handler = partial(Noting, directory=str(root))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield replace(files, url=f"http://127.0.0.1:{server.server_port}/{files.file}"), tmp_path / "empty"
        server.shutdown()
        thread.join()


def names(root: Path) -> set[str]:
    return {path.name for path in root.iterdir() if path.suffix != ".lock"}


def test_an_archive_placed_in_the_root_is_unpacked(tiny_cifar10: Tiny) -> None:
    files, root = tiny_cifar10
    assert not files.present(root)
    files.fetch(root)
    assert files.present(root)
    files.verify(root)
    assert names(root) == {files.file, files.folder}


def test_a_missing_archive_is_downloaded_and_only_its_files_are_kept(served: Tiny) -> None:
    files, root = served
    files.fetch(root)
    files.verify(root)
    assert names(root) == {files.folder}


def test_those_who_start_together_download_once(served: Tiny) -> None:
    files, root = served
    Noting.asked.clear()
    files.fetch(root / "alone")
    asked_alone = list(Noting.asked)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(files.fetch, [root / "together"] * 4))
    files.verify(root / "together")
    assert Noting.asked == asked_alone * 2


def test_what_a_killed_fetch_has_left_is_removed(served: Tiny) -> None:
    files, root = served
    left = root / f".{files.folder}-killed"
    left.mkdir(parents=True)
    (left / files.file).write_bytes(b"half of it")
    files.fetch(root)
    assert names(root) == {files.folder}


def test_whole_files_are_left_alone(served: Tiny) -> None:
    files, root = served
    files.fetch(root)
    replace(files, url="http://127.0.0.1:9/").fetch(root)


def test_fetch_replaces_damaged_and_missing_files(tiny_cifar10: Tiny) -> None:
    files, root = tiny_cifar10
    files.fetch(root)
    (files.location(root) / "data_batch_2").write_bytes(b"")
    (files.location(root) / "test_batch").unlink()
    files.fetch(root)
    files.verify(root)


def test_offline_the_error_says_what_to_place_where(tiny_cifar10: Tiny) -> None:
    files, root = tiny_cifar10
    (root / files.file).unlink()
    with pytest.raises(InputError) as caught:
        files.fetch(root)
    text = str(caught.value)
    expected = ("CIFAR-10", str(root / files.file), files.url, files.md5, str(files.location(root)))
    assert all(part in text for part in (*expected, "cgl data fetch cifar10", "data.root", "CGL_DATA"))
    assert not names(root)


def test_a_download_with_the_wrong_checksum_is_not_unpacked(served: Tiny) -> None:
    files, root = served
    with pytest.raises(InputError, match=f"md5 expected {'0' * 32}, found {files.md5}"):
        replace(files, md5="0" * 32).fetch(root)
    assert not names(root)


def test_a_damaged_archive_in_the_root_is_named(tiny_cifar10: Tiny) -> None:
    files, root = tiny_cifar10
    (root / files.file).write_bytes(b"half a download")
    with pytest.raises(InputError, match=rf"{files.file} is damaged: md5 expected {files.md5}, found \w+"):
        files.fetch(root)
    assert (root / files.file).exists()


def test_verify_names_every_fault(tiny_cifar10: Tiny) -> None:
    files, root = tiny_cifar10
    files.fetch(root)
    (files.location(root) / "data_batch_1").write_bytes(b"")
    (files.location(root) / "test_batch").unlink()
    with pytest.raises(InputError) as caught:
        files.verify(root)
    text = str(caught.value)
    assert f"data_batch_1 is damaged: md5 expected {files.members['data_batch_1']}, found d41d8cd9" in text
    assert f"test_batch is missing (md5 {files.members['test_batch']})" in text
    assert "cgl data fetch cifar10" in text


def test_a_root_that_cannot_be_made_is_an_input_error(tiny_cifar10: Tiny, tmp_path: Path) -> None:
    files, _ = tiny_cifar10
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="could not be fetched"):
        files.fetch(tmp_path / "file" / "root")
