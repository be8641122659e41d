"""Whatever is wrong with the input: exit code 2, one clear message, no traceback, nothing left behind."""

from __future__ import annotations

import pickle
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner, Result
from PIL import Image

from cgl_ignite.catalogue import load_pipeline
from cgl_ignite.cli.main import cgl
from cgl_ignite.pipeline import run
from cgl_ignite.tracking.memory import MemoryTracker

PIPELINES = Path(__file__).resolve().parents[2] / "pipelines"
DIGITS = PIPELINES / "digits_resnet.toml"
QUICK = ["run.epochs=1", "backbone.width=2", "data.limit=300", "data.holdout=50"]

TEXTS = {
    "no TOML": ("[data\nkind = 'digits'", ":1", "TOML"),
    "a key twice": ("[run]\nepochs = 1\nepochs = 2\n[data]", ":3", "TOML"),
    "not UTF-8": (b"\xff\xfe[run]", "", "UTF-8"),
    "empty": ("", "", "data"),
    "unknown table": ("{base}\n[optimizer]\nkind = 'adam'", ":2: optimizer", "'optim'"),
    "unknown key": ("{base}\n[method]\npreset = 'cgl'\nstudnets = 4", "method.studnets", "'students'"),
    "unknown dataset": ("{base}\n[data]\nkind = 'cifar11'", "data.kind", "'cifar10'"),
    "unknown backbone": ("{base}\n[backbone]\nkind = 'resnet19'", "backbone.kind", "'resnet18'"),
    "unknown preset": ("{base}\n[method]\npreset = 'clg'", "method.preset", "'cgl'"),
    "unknown option": ("{base}\n[backbone]\nwdith = 4", "backbone.wdith", "'width'"),
    "text for a number": ("{base}\n[run]\nepochs = 'ten'", ":3: run.epochs", "ten"),
    "fraction for a number": ("{base}\n[run]\nepochs = 2.5", "run.epochs", "2.5"),
    "zero epochs": ("{base}\n[run]\nepochs = 0", "run.epochs", "0"),
    "negative rate": ("{base}\n[optim]\nlearning_rate = -0.1", "optim.learning_rate", "-0.1"),
    "infinite rate": ("{base}\n[optim]\nlearning_rate = inf", "optim.learning_rate", "inf"),
    "batch of one": ("{base}\n[optim]\nbatch_size = 1", "optim.batch_size", "1"),
    "probability above one": ("{base}\n[method.choose]\nprobability = 1.5", "method.choose.probability", "1.5"),
    "sub-group too large": ("{base}\n[method.choose]\nkind = 'fixed'\nsize = 8", "method.choose", "7"),
    "more students than paths": ("{base}\n[method]\nstudents = 17", ":3: method.students", "16"),
    "shared layer outside": ("{base}\n[method.routing]\nshared = [4]", "method.routing", "4"),
    "branch beyond the end": ("{base}\n[method.routing]\nkind = 'branched'\nat = 9", "method.routing", "9"),
    "table of another size": ("{base}\n[method.routing]\nkind = 'fixed'\ntable = [[0]]", "method.routing", "rows"),
    "ramp reversed": ("{base}\n[method.ramp]\nstart = 0.5\nend = 0.2", "method.ramp", "0.5"),
    "two intervals": ("{base}\n[run]\ncheckpoint_every = {epochs = 1, seconds = 2}", "checkpoint_every", "one"),
    "same seed twice": ("{seeds}", "seeds", "1"),
    "plugin missing": ("plugins = ['no_such_parts']\n{base}", "plugins", "no_such_parts"),
    "extends nothing": ("extends = 'nowhere.toml'", "extends", "nowhere.toml"),
    "nested too deeply for the parser": ("{base}\n[data]\nlimit = " + "[" * 1000 + "]" * 1000, ":3: limit", "32 deep"),
    "nested too deeply": ("{base}\n" + "a." * 300 + "a = 1", ".a.a", "32 deep"),
    "thousands of digits": ("{base}\n[run]\nepochs = " + "9" * 4301, ":3: epochs", "64 bits"),
    "thousands of hexadecimal digits": ("{base}\nseeds = [0x" + "f" * 4000 + "]", "seeds", "64 bits"),
    "more than 64 bits": ("{base}\n[run]\nepochs = 9223372036854775808", "run.epochs", "64 bits"),
    "NUL in a path": ('{base}\n[tracking]\nfolder = "a\\u0000b"', "tracking.folder", "NUL"),
    "extends NUL": ('extends = "a\\u0000b"', "extends", "NUL"),
    "extends a long name": ("extends = '" + "x" * 300 + "'", ":1: extends", "there is no file"),
    "a long text": ("name = '" + "x" * 5000 + "'\n{base}", "name", "5,000"),
    "a large file": ("#" * 2**20 + "\n{base}", "", "1,048,576"),
    "a hundred thousand students": ("{base}\n[method]\nstudents = 100000", ":3: method.students", "1024"),
    "holdout takes all": ("{base}\n[data]\nholdout = 1437", "data.holdout", "1437"),
    "limit below holdout": ("{base}\n[data]\nlimit = 100\nholdout = 200", "data.", "100"),
    "too many students for the rows": (
        "{base}\n[method]\nstudents = 8\n[data]\nlimit = 60\nholdout = 50",
        ":3: method.students",
        "8",
    ),
}


def invoke(*arguments: object) -> Result:
    return CliRunner().invoke(cgl, list(map(str, arguments)))


def assert_refused(result: Result, *parts: str) -> None:
    assert result.exit_code == 2, result.output
    assert result.stdout == ""
    assert "Traceback" not in result.stderr
    for part in parts:
        assert part in result.stderr


@pytest.mark.parametrize("case", TEXTS)
def test_malformed_pipelines(workdir: Path, case: str) -> None:
    text, place, said = TEXTS[case]
    base = f"extends = '{DIGITS.as_posix()}'"
    if isinstance(text, str):
        text = text.replace("{base}", base).replace("{seeds}", f"seeds = [1, 1]\n{base}").encode()
    (workdir / "wrong.toml").write_bytes(text)
    assert_refused(invoke("run", "wrong.toml", "--json"), "wrong.toml", place, said)
    assert_refused(invoke("check", "wrong.toml"), "wrong.toml", place, said)
    assert [path.name for path in workdir.iterdir()] == ["wrong.toml"]


@pytest.mark.parametrize("folder", ["/dev/null/x", "x" * 300, "~nobody_of_this_name/x", "file"])
def test_tracking_folders_that_cannot_be_used(workdir: Path, folder: str) -> None:
    (workdir / "file").touch()
    assert_refused(invoke("run", DIGITS, "--set", f"tracking.folder={folder}"), "tracking.folder", folder)
    assert [path.name for path in workdir.iterdir()] == ["file"]


def test_all_problems_come_together(workdir: Path) -> None:
    text = f"extends = '{DIGITS.as_posix()}'\n[run]\nepochs = 0\nepoks = 1\n[backbone]\nwidth = 'wide'\n"
    (workdir / "wrong.toml").write_text(text)
    result = invoke("check", "wrong.toml")
    assert_refused(result, "wrong.toml:3: run.epochs", "wrong.toml:4: run.epoks", "wrong.toml:6: backbone.width")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["run"], "PIPELINE"),
        (["run", "nowhere.toml"], "nowhere.toml"),
        (["rum", DIGITS], "'run'"),
        (["run", DIGITS, "--set", "run.epochs"], "run.epochs"),
        (["run", DIGITS, "--set", "run.epoch=3"], "'epochs'"),
        (["run", DIGITS, "--seed", "-1"], "-1"),
        (["run", DIGITS, "--seed", "one"], "one"),
        (["run", DIGITS, "--device", "tpu"], "tpu"),
        (["run", DIGITS, "--colour"], "--colour"),
        (["export", "latest"], "runs"),
        (["evaluate", "nobody", "digits"], "nobody"),
        (["predict", "student.pt", "picture.png"], "student.pt"),
        (["new", "--dataset", "cifar12", "--backbone", "resnet18"], "cifar10"),
        (["data", "fetch", "mnist"], "mnist"),
        (["run", DIGITS, "--set", "tracking.uri=ftp://nowhere"], "tracking.uri"),
    ],
    ids=lambda value: "-".join(map(str, value[:2])) if isinstance(value, list) else "",
)
def test_wrong_command_lines(workdir: Path, arguments: list[str], said: str) -> None:
    assert_refused(invoke(*arguments), said)
    assert list(workdir.iterdir()) == []


def test_cuda_where_there_is_none(workdir: Path) -> None:
    if torch.cuda.is_available():
        pytest.skip("there is a CUDA device")
    assert_refused(invoke("run", DIGITS, "--device", "cuda"), "run.device", "cpu")
    assert list(workdir.iterdir()) == []


def write_pickle(path: Path, value: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(pickle.dumps(value))


DAMAGE: dict[str, Callable[[Path], None]] = {
    "not there": lambda root: None,
    "an empty folder": lambda root: (root / "cifar-10-batches-py").mkdir(),
    "another file": lambda root: write_pickle(root / "cifar-10-batches-py" / "data_batch_1", {"data": 1}),
    "no archive": lambda root: (root / "cifar-10-python.tar.gz").write_bytes(b"no archive"),
}


def names_below(root: Path) -> list[Path]:
    return sorted(path.relative_to(root) for path in root.rglob("*") if path.suffix != ".lock")


@pytest.mark.parametrize("case", DAMAGE)
def test_damaged_data(workdir: Path, case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    root = workdir / "data"
    root.mkdir()
    DAMAGE[case](root)
    before = names_below(root)
    result = invoke("run", PIPELINES / "cifar10_resnet18.toml", "--set", f"data.root={root}")
    assert_refused(result, "CIFAR-10", str(root), "https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz")
    assert names_below(root) == before
    assert [path.name for path in workdir.iterdir()] == ["data"]


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("finished")
    run(load_pipeline(DIGITS, [*QUICK, f"tracking.folder={folder / 'mlruns'}"]), tracker=MemoryTracker())
    return next((folder / "mlruns" / "runs").iterdir())


CORRUPTION: dict[str, Callable[[Path], None]] = {
    "cut off": lambda path: path.write_bytes(path.read_bytes()[:1000]),
    "empty": lambda path: path.write_bytes(b""),
    "text": lambda path: path.write_text("weights"),
    "another pickle": lambda path: torch.save({"weights": torch.zeros(3)}, path),
    "code in it": lambda path: torch.save(Path("x"), path),
    "of a later version": lambda path: torch.save({"format": 99}, path),
}


@pytest.mark.parametrize("case", CORRUPTION)
@pytest.mark.parametrize("verb", ["export", "evaluate"])
def test_damaged_checkpoints(workdir: Path, finished: Path, case: str, verb: str) -> None:
    copy = workdir / "run"
    shutil.copytree(finished, copy)
    CORRUPTION[case](copy / "checkpoint.pt")
    before = sorted(path.name for path in copy.iterdir())
    more = ["digits"] if verb == "evaluate" else []
    assert_refused(invoke(verb, copy / "checkpoint.pt", *more), "checkpoint.pt")
    assert sorted(path.name for path in copy.iterdir()) == before
    assert [path.name for path in workdir.iterdir()] == ["run"]


def test_resuming_from_a_damaged_checkpoint(workdir: Path, finished: Path) -> None:
    shutil.copytree(finished, workdir / "mlruns" / "runs" / finished.name)
    place = workdir / "mlruns" / "runs" / finished.name
    (place / "result.json").unlink()
    (place / "checkpoint.pt").write_bytes(b"broken")
    options = [part for change in QUICK for part in ("--set", change)]
    result = invoke("run", DIGITS, *options, "--resume", "--json")
    assert_refused(result, "checkpoint.pt")


def test_pictures_that_are_none(workdir: Path, finished: Path) -> None:
    (workdir / "broken.png").write_bytes(b"\x89PNG and then nothing")
    Image.new("L", (8, 8)).save(workdir / "fine.png")
    mixed = invoke("predict", finished / "student.pt", "fine.png", "broken.png")
    assert (mixed.exit_code, len(mixed.stdout.splitlines())) == (1, 2)
    assert "error: 1 of 2 files could not be read" in mixed.stderr
    assert_refused(invoke("predict", finished / "student.pt", "broken.png"), "broken.png")
    assert_refused(invoke("predict", finished / "student.pt", "missing.png"), "missing.png")


def test_data_of_other_classes(workdir: Path, finished: Path) -> None:
    for split in ("train", "test"):
        for name in ("cat", "dog"):
            (workdir / "pets" / split / name).mkdir(parents=True)
            for number in range(4):
                Image.new("L", (8, 8), 40 * number).save(workdir / "pets" / split / name / f"{number}.png")
    assert_refused(invoke("evaluate", finished / "student.pt", workdir / "pets"), "cat")
