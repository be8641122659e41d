from __future__ import annotations

import sys
from pathlib import Path

import pytest

from cgl_ignite.catalogue import REGISTRIES, effective, load_pipeline
from cgl_ignite.config.dump import to_toml, values
from cgl_ignite.config.load import load_document
from cgl_ignite.config.presets import METHODS
from cgl_ignite.config.schema import Part
from cgl_ignite.errors import ConfigError, choices

PIPELINE = """\
[data]
kind = "digits"
holdout = 237

[backbone]
kind = "resnet8"

[method]
preset = "cgl"

[optim]
kind = "adam"
learning_rate = 1e-3
batch_size = 16

[run]
epochs = 2
"""
CHOICES_OF_THE_FILE = [
    ("dataset", "data"),
    ("encoding", "data.encoding"),
    ("augmentation", "data.augment"),
    ("backbone", "backbone"),
    ("routing", "method.routing"),
    ("subsets", "method.subsets"),
    ("choice", "method.choose"),
    ("selection", "method.selection"),
    ("optimizer", "optim"),
    ("schedule", "optim.schedule"),
]
TEXT = ["data.kind=imdb", "data.encoding.kind=characters", "backbone.kind=vdcnn9"]
"""Overrides that make the pipeline one of texts."""

NEEDED = {
    "build": "torchvision.models.resnet18",
    "path": "x",
    "probability": 0.5,
    "size": 2,
    "at": 1,
    "table": [[0] * 4] * 8,
    "imitated": 2,
}
ONE_OF_SEVERAL = {"fixed": ("table",)}
"""Options that a kind needs unless another one is given."""


@pytest.fixture
def path(workdir: Path) -> Path:
    (workdir / "trial.toml").write_text(PIPELINE)
    return Path("trial.toml")


def faults(path: Path, *overrides: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load_pipeline(path, overrides)
    return [str(problem) for problem in caught.value.problems]


def test_a_date_where_a_text_is_expected(path: Path) -> None:
    path.write_text(PIPELINE + "metrics = [1979-05-27]\n")
    (fault,) = faults(path)
    assert "run.metrics: must be" in fault
    assert "not '1979-05-27'" in fault


def test_a_short_file_is_enough(path: Path) -> None:
    pipeline = load_pipeline(path)
    assert pipeline.name == "trial"
    assert pipeline.seeds == [1]
    assert pipeline.data.augment.kind == "none"
    assert pipeline.optim.schedule.kind == "constant"
    assert pipeline.method.students == 8
    assert pipeline.method.routing.options == {"modules": 2, "shared": (), "distinct": True, "seed": None}
    assert pipeline.method.choose.options == {"probability": 0.25}
    assert pipeline.optim.options == {"betas": (0.9, 0.999), "eps": 1e-8, "weight_decay": 0.0}


@pytest.mark.parametrize("preset", METHODS)
def test_what_is_dumped_is_the_same_pipeline(path: Path, preset: str) -> None:
    pipeline = load_pipeline(path, [f"method.preset={preset}", "run.checkpoint_every.seconds=5"])
    other = path.with_name("other.toml")
    other.write_text(to_toml(values(pipeline)))
    assert load_pipeline(other) == pipeline


def test_values_stand_over_the_preset(path: Path) -> None:
    pipeline = load_pipeline(path, ["method.choose.probability=0.5", "method.students=3"])
    assert (pipeline.method.choose.options, pipeline.method.students) == ({"probability": 0.5}, 3)
    document = effective(load_document(path, ["method.students=3"]))
    assert document.where("method.students") == "--set method.students=3"
    assert document.where("method.choose.probability") == "preset cgl"
    assert document.where("method.preset") == "trial.toml:9"


@pytest.mark.parametrize(
    ("what", "key", "kind"),
    [(what, key, kind) for what, key in CHOICES_OF_THE_FILE for kind in REGISTRIES[what].kinds()],
)
def test_every_registered_kind_can_be_chosen(path: Path, what: str, key: str, kind: str) -> None:
    needed = [
        f"{key}.{name}={NEEDED[name]}"
        for name, option in REGISTRIES[what].options(kind).items()
        if option.default is option.empty or name in ONE_OF_SEVERAL.get(kind, ())
    ]
    text = TEXT if REGISTRIES[what].facts(kind).get("modality") == "text" else []
    part = load_pipeline(path, [*text, f"{key}.kind={kind}", *needed])
    for name in key.split("."):
        part = getattr(part, name)
    assert isinstance(part, Part)
    assert part.kind == kind
    assert set(part.options) == set(REGISTRIES[what].options(kind))


def test_everything_wrong_is_reported_at_once_in_the_order_of_the_file(path: Path) -> None:
    path.write_text(
        PIPELINE.replace('"resnet8"', '"resnet9"')
        .replace("holdout = 237", "holdot = 237\nlimit = 0")
        .replace('preset = "cgl"', 'preset = "cgl"\nstudnets = 3\nramp = { start = 0.5 }')
        + "epochs_ = 3\n"
    )
    assert faults(path, "optim.learning_rate=-1", "method.choose.probabilty=0.5") == [
        "trial.toml:1: data.holdout: is missing; it must be a number of rows, or a share of them between 0 and 1",
        "trial.toml:3: data.holdot: unknown key; did you mean 'holdout'? (allowed here:"
        " kind, root, limit, test_limit, holdout, stratified_holdout, encoding, balance, balance_beta, augment)",
        "trial.toml:4: data.limit: must be a whole number of at least 1, not 0",
        f'trial.toml:7: backbone.kind: must be {choices(REGISTRIES["backbone"].kinds())}, not "resnet9";'
        " did you mean 'resnet8'?",
        "trial.toml:11: method.studnets: unknown key; did you mean 'students'?"
        " (allowed here: preset, students, routing, start, classifier, statistics, subsets, choose, weigh, loss,"
        " update, ramp, selection, teachers)",
        "trial.toml:12: method.ramp: start = 0.5 must not be after end = 0.2",
        "trial.toml:21: run.epochs_: unknown key; did you mean 'epochs'?"
        " (allowed here: epochs, passes_per_epoch, average, precision, device, threads, graphs, batches_per_chunk,"
        " reduce, checkpoint_every, metrics)",
        "--set method.choose.probabilty=0.5: method.choose.probabilty: unknown key;"
        " did you mean 'probability'? (allowed here: kind, probability)",
        "--set optim.learning_rate=-1: optim.learning_rate: must be a number of more than 0, not -1",
    ]


def test_an_empty_file(path: Path) -> None:
    path.write_text("")
    keys = {fault.split(": ")[1] for fault in faults(path)}
    assert keys == {"data", "backbone", "method.preset", "optim", "run"}


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("method.preset=cg", f"method.preset: must be {choices(METHODS)}, not 'cg'; did you mean 'cgl'?"),
        ("method.preset=3", "method.preset: must be text, not 3"),
        ("method=cgl", 'method: must be a table, not "cgl"'),
        ("data=digits", 'data: must be a table such as { kind = "cifar10" }, not "digits"'),
        ("data.augment=none", 'data.augment: must be a table such as { kind = "none" }, not "none"'),
        ("seeds=3", "seeds: must be a non-empty list of [a whole number of at least 0], not 3"),
        ("seeds=[2, 1, 2]", "seeds: 2 stands there twice, and would give the same run twice"),
        ('name=""', 'name: must be non-empty text, not ""'),
        ("optim.batch_size=1", "optim.batch_size: must be a whole number of at least 2, not 1"),
        ("run.device=gpu", "run.device: must be 'auto', 'cpu' or 'cuda', not \"gpu\"; did you mean 'cpu'?"),
        ("method.ramp.start=9", "method.ramp.start: must be a number from 0 to 1, not 9"),
        ("backbone.width=0", "backbone.width: must be a whole number from 1 to 65536, not 0"),
        ("plugins=text", 'plugins: must be a list of [text], not "text"'),
    ],
)
def test_one_fault_gives_one_message(path: Path, override: str, message: str) -> None:
    assert faults(path, override) == [f"--set {override}: {message}"]


def test_a_missing_preset_is_one_message(path: Path) -> None:
    path.write_text(PIPELINE.replace('preset = "cgl"', "students = 3"))
    assert faults(path) == [f"trial.toml:8: method.preset: is missing; it must be {choices(METHODS)}"]


@pytest.mark.parametrize(
    ("overrides", "where", "message"),
    [
        (["method.students=17"], "--set", "method.students: 17 students need distinct paths"),
        (["method.routing={kind='branched', at=4}"], "--set", "method.routing: at = 4 is beyond"),
        (["method.routing={kind='fixed', table=[[0]]}"], "--set", "method.routing: table needs 8 rows"),
        (["method.choose={kind='fixed', size=8}"], "--set", "method.choose.size: 8 is more than the 7"),
        (["method.weigh.kind=gate"], "--set", "method.weigh: the gate reads the last layer that all students share"),
        (
            ["method={preset='okddip'}", "method.loss.teacher_gradient=stopped"],
            "--set",
            "method.loss.teacher_gradient: 'stopped' leaves the weights of 'attention' untrained",
        ),
        (["method={preset='okddip', students=1}"], "--set", "method.students: the last student is the leader"),
        (["data.limit=200"], "trial.toml:3", "data.holdout: takes 237 of 200 rows and leaves none"),
        (["data.holdout=1437"], "--set", "data.holdout: takes 1437 of 1437 rows"),
        (["data.limit=250"], "preset cgl", "method.students: 8 is too many for a training part of 13 rows"),
        (["optim.kind=sgd", "optim.momentum=0", "optim.nesterov=true"], "--set", "optim: Nesterov"),
    ],
)
def test_contradictions(path: Path, overrides: list[str], where: str, message: str) -> None:
    (fault,) = faults(path, *overrides)
    assert fault.startswith(where)
    assert message in fault


def test_contradictions_are_found_beside_other_faults(path: Path) -> None:
    found = faults(path, "method.students=17", "run.epochs=0", "optim.moment=1", "data.limit=200")
    assert len(found) == 4


def test_faulty_values_are_not_contradictions_as_well(path: Path) -> None:
    assert len(faults(path, "method.students=17", "method.routing.modules='many'")) == 1


def test_a_backbone_must_read_what_the_data_set_holds(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    facts = {**REGISTRIES["dataset"].facts("digits"), "modality": "text"}
    monkeypatch.setitem(REGISTRIES["dataset"]._facts, "digits", facts)
    _, fault = faults(path)
    assert fault.startswith("trial.toml:6: backbone.kind: reads image, but the data set holds text; backbones for it: ")
    assert "transformer" in fault
    assert "resnet" not in fault.partition("backbones for it")[2]


def test_the_preset_follows_the_task(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    facts = {**REGISTRIES["dataset"].facts("digits"), "modality": "text"}
    monkeypatch.setitem(REGISTRIES["dataset"]._facts, "digits", facts)
    assert effective(load_document(path)).tree["method"]["choose"]["probability"] == 0.5


def test_the_size_of_images_is_known_without_the_files(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    monkeypatch.setitem(REGISTRIES["augmentation"]._builders, "none", lambda spec: seen.append(spec.shape))
    local = ["data.kind=local_images", "data.path=nowhere", "data.augment.kind=none"]
    load_pipeline(path, [*local, "data.size=224"])
    load_pipeline(path, local)
    assert seen == [(3, 224, 224), (3, 32, 32)]


def test_an_encoding_must_fit_the_data_set(path: Path) -> None:
    (fault,) = faults(path, "data.encoding.kind=characters")
    where = "--set data.encoding.kind=characters: data.encoding: "
    assert fault == where + "'characters' is for text, but the data set holds image: take 'none'"
    (fault,) = faults(path, *TEXT, "data.kind=imdb", "data.encoding.kind=none")
    assert fault.endswith("'none' is for image, but the data set holds text: take 'characters' or 'sentencepiece'")


PLUGIN = """
from cgl_ignite.backbones import BACKBONES
from cgl_ignite.backbones.resnet import resnet8

@BACKBONES.register("{name}", modality="image")
def build(spec, classes, *, width: int = 4):
    return resnet8(spec, classes, width=width)
"""


@pytest.fixture
def own_imports(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forget what a test imports and registers."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(sys, "modules", dict(sys.modules))
    for name in ("_builders", "_facts"):
        monkeypatch.setattr(REGISTRIES["backbone"], name, dict(getattr(REGISTRIES["backbone"], name)))


@pytest.mark.usefixtures("own_imports")
@pytest.mark.parametrize("folder", ["here", "there"])
def test_plugins_are_found_here_and_beside_the_file(workdir: Path, path: Path, folder: str) -> None:
    there = workdir / "there"
    there.mkdir()
    (there / "trial.toml").write_text(PIPELINE)
    place = there if folder == "there" else workdir
    (place / f"parts_{folder}.py").write_text(PLUGIN.format(name=f"mine_{folder}"))
    overrides = [f"plugins=['parts_{folder}']", f"backbone.kind=mine_{folder}"]
    assert load_pipeline(there / "trial.toml", overrides).backbone.options == {"width": 4}


@pytest.mark.usefixtures("own_imports")
def test_plugins_that_cannot_be_imported(path: Path) -> None:
    Path("broken_part.py").write_text("raise OSError('no such device')")
    path.write_text('plugins = ["missing_part", "broken_part"]\n' + PIPELINE)
    assert faults(path) == [
        "trial.toml:1: plugins: cannot import 'missing_part' (No module named 'missing_part');"
        " a plugin is a module in the current folder, beside the pipeline file, or installed",
        "trial.toml:1: plugins: cannot import 'broken_part' (OSError: no such device)",
    ]


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        (['run.metrics=["macro_f2"]'], "run.metrics: must be "),
        (['run.metrics=["accuracy"]'], "run.metrics: 'accuracy' is measured in any case; leave it out"),
        (['run.metrics=["roc_auc"]'], "run.metrics: 'roc_auc' is defined for 2 classes, and the data set has 10"),
        (['method.selection.by="roc_auc"'], "method.selection.by: 'roc_auc' is defined for 2 classes"),
        (['method.selection.by="recall"'], "method.selection.by: must be 'accuracy', 'cross_entropy', "),
    ],
)
def test_metrics_that_the_task_does_not_define(tmp_path: Path, changes: list[str], fault: str) -> None:
    (tmp_path / "pipeline.toml").write_text(PIPELINE)
    with pytest.raises(ConfigError) as failed:
        load_pipeline(tmp_path / "pipeline.toml", changes)
    assert len(failed.value.problems) == 1
    assert fault in str(failed.value)


def test_balance_beta_without_weights_of_the_losses(tmp_path: Path) -> None:
    (tmp_path / "pipeline.toml").write_text(PIPELINE)
    with pytest.raises(ConfigError, match=r"data\.balance_beta: is for balance = 'loss', .* with 'sampling'"):
        load_pipeline(tmp_path / "pipeline.toml", ["data.balance_beta=0.9", 'data.balance="sampling"'])


@pytest.mark.parametrize(
    ("changes", "stratified"),
    [
        ([], True),
        (["method.subsets.stratified=false"], False),
        (['method.subsets={ kind = "disjoint", overlap = 0.5 }'], True),
        (["method.preset=dml", "method.subsets.kind=disjoint"], True),
        (["data.kind=digits", "data.path=x"], None),
        (["method.subsets.kind=whole"], None),
    ],
)
def test_sub_sets_of_ones_own_data_keep_the_shares_of_the_classes(
    tmp_path: Path, changes: list[str], stratified: bool | None
) -> None:
    (tmp_path / "pipeline.toml").write_text(PIPELINE.replace('"digits"', '"local_images"\npath = "x"'))
    document = effective(load_document(tmp_path / "pipeline.toml", changes))
    assert document.tree["method"]["subsets"].get("stratified") == stratified
