from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from cgl_ignite.cli.data import data
from cgl_ignite.errors import InputError


def run(*arguments: str) -> Result:
    return CliRunner().invoke(data, arguments)


def test_list_shows_every_data_set_and_whether_it_is_there(tmp_path: Path) -> None:
    from cgl_ignite.data import DATASETS

    result = run("list", "--root", str(tmp_path))
    assert result.exit_code == 0
    rows = {line.split()[0]: line.split() for line in result.stdout.splitlines()}
    assert set(DATASETS.kinds()) <= set(rows)
    assert rows["kind"] == ["kind", "train", "test", "classes", "present", "where"]
    assert rows["cifar10"] == ["cifar10", "50000", "10000", "10", "no", str(tmp_path / "cifar-10-batches-py")]
    assert rows["digits"][:5] == ["digits", "1437", "360", "10", "yes"]
    assert rows["local_images"][1:5] == ["-"] * 4


def test_list_claims_only_what_is_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows and classes of loose files are known, and whether they are there is not, unless the data set tells it."""
    from cgl_ignite.data import DATASETS

    for name in ("_builders", "_facts"):
        monkeypatch.setattr(DATASETS, name, dict(getattr(DATASETS, name)))
    facts = {"title": "", "modality": "image", "shape": (1, 2, 2), "classes": 2, "rows": (4, 2), "files": None}
    DATASETS.register("silent", where="two files", **facts)(lambda root: None)
    tell = lambda root, options: (root / "pairs").is_file()  # noqa: E731
    DATASETS.register("telling", where="two files", present=tell, **facts)(lambda root: None)

    def shown() -> list[list[str]]:
        rows = [line.split() for line in run("list", "--root", str(tmp_path)).stdout.splitlines()]
        return [row[1:] for row in rows if row[0] in ("silent", "telling")]

    assert shown() == [["4", "2", "2", "-", "two", "files"], ["4", "2", "2", "no", "two", "files"]]
    (tmp_path / "pairs").touch()
    assert shown() == [["4", "2", "2", "-", "two", "files"], ["4", "2", "2", "yes", "two", "files"]]


def test_list_looks_where_the_environment_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from cgl_ignite.data.cifar import CIFAR100

    monkeypatch.setenv("CGL_DATA", str(tmp_path))
    CIFAR100.location(tmp_path).mkdir()
    for name in CIFAR100.members:
        (CIFAR100.location(tmp_path) / name).touch()
    line = next(line for line in run("list").stdout.splitlines() if line.startswith("cifar100"))
    assert line.split()[4:] == ["yes", str(CIFAR100.location(tmp_path))]


def test_verify_names_all_faults_of_all_data_sets_and_prints_no_result(tmp_path: Path) -> None:
    result = run("verify", "cifar10", "cifar100", "--root", str(tmp_path))
    assert isinstance(result.exception, InputError)
    assert "cifar-10-batches-py/data_batch_1 is missing" in str(result.exception)
    assert "cifar-100-python/test is missing" in str(result.exception)
    assert not result.stdout


def test_verify_without_a_kind_takes_what_is_there(tmp_path: Path) -> None:
    result = run("verify", "--root", str(tmp_path))
    assert result.exit_code == 0
    assert not result.stdout
    assert str(tmp_path) in result.stderr


def test_verify_and_fetch_say_where_whole_files_lie(data_root: Path) -> None:
    verified = run("verify", "cifar10", "--root", str(data_root))
    assert verified.stdout == f"cifar10  whole  {data_root / 'cifar-10-batches-py'}\n"
    fetched = run("fetch", "cifar10", "--root", str(data_root))
    assert fetched.stdout == f"{data_root / 'cifar-10-batches-py'}\n"
    assert "CIFAR-10: fetching" in fetched.stderr


@pytest.mark.parametrize("command", ["fetch", "verify"])
def test_data_without_files_or_unknown_is_an_input_error(command: str) -> None:
    assert "comes with scikit-learn" in str(run(command, "digits").exception)
    unknown = run(command, "cifar1O").exception
    assert isinstance(unknown, InputError)
    assert "did you mean 'cifar10'" in str(unknown)


def test_help_loads_no_torch() -> None:
    code = "import sys; from cgl_ignite.cli.data import data; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
