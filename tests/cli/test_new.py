from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from PIL import Image

from cgl_ignite.catalogue import load_pipeline
from cgl_ignite.cli.main import cgl
from cgl_ignite.comparison.rows import Tuning


def new(*arguments: str) -> Result:
    return CliRunner().invoke(cgl, ["new", "--dataset", "cifar10", "--backbone", "resnet34", *arguments])


@pytest.mark.parametrize("method", ["baseline", "cgl"])
def test_what_is_written_is_a_pipeline_by_itself(workdir: Path, method: str) -> None:
    done = new("--method", method, "-o", "mine.toml")
    assert (done.exit_code, done.stdout) == (0, "")
    assert "cgl run mine.toml" in done.stderr
    pipeline = load_pipeline("mine.toml")
    assert (pipeline.name, pipeline.data.kind, pipeline.backbone.kind) == ("mine", "cifar10", "resnet34")
    assert pipeline.method.preset == method
    text = Path("mine.toml").read_text()
    assert "extends" not in text
    assert len(text.splitlines()) <= 30
    assert [path.name for path in workdir.iterdir()] == ["mine.toml"]


def test_stdout_holds_the_same_file(workdir: Path) -> None:
    new("-o", "mine.toml")
    assert new().stdout == Path("mine.toml").read_text()


def test_a_file_is_not_replaced_unless_asked(workdir: Path) -> None:
    Path("mine.toml").write_text("precious")
    done = new("-o", "mine.toml")
    assert (done.exit_code, done.stdout) == (2, "")
    assert "mine.toml exists already" in done.stderr
    assert Path("mine.toml").read_text() == "precious"
    assert new("-o", "mine.toml", "--force").exit_code == 0
    assert Path("mine.toml").read_text() != "precious"


def test_a_place_that_cannot_be_written(workdir: Path) -> None:
    Path("file").write_text("")
    done = new("-o", "file/mine.toml")
    assert done.exit_code == 2
    assert "error: cannot write file/mine.toml (" in done.stderr


def test_missing_folders_are_made(workdir: Path) -> None:
    assert new("-o", "of/mine/digits.toml").exit_code == 0
    assert Path("of/mine/digits.toml").exists()


def test_a_pipeline_for_own_texts_names_the_columns_for_the_user_to_change(workdir: Path) -> None:
    done = CliRunner().invoke(cgl, ["new", "--dataset", "local_text", "--backbone", "vdcnn9", "-o", "mine.toml"])
    assert done.exit_code == 0
    lines = Path("mine.toml").read_text().splitlines()
    for key in ("path", "label", "text", "header"):
        assert [line for line in lines if line.startswith(f"{key} = ") and "  # " in line]
    options = load_pipeline("mine.toml").data.model_dump()
    assert (options["label"], options["text"], options["header"]) == ("label", ["text"], True)


@pytest.mark.parametrize(("method", "told"), [("cgl", True), ("cgl_whole", False), ("dml", False)])
def test_few_steps_are_told_where_students_have_rows_of_their_own(workdir: Path, method: str, told: bool) -> None:
    shown = CliRunner().invoke(cgl, ["new", "--dataset", "digits", "--backbone", "resnet8", "--method", method]).stdout
    assert ("8 times fewer optimizer steps" in shown and "run.passes_per_epoch" in shown) == told


def test_the_default_is_one_network_with_the_recipe(workdir: Path) -> None:
    new("-o", "mine.toml")
    pipeline = load_pipeline("mine.toml")
    assert (pipeline.method.preset, pipeline.method.students) == ("baseline", 1)
    assert (pipeline.optim.kind, pipeline.optim.schedule.kind, pipeline.run.average.kind) == ("adamw", "cosine", "ema")
    assert [part.kind for part in pipeline.data.augment] == ["crop_flip", "cutmix"]
    assert pipeline.run.epochs == 60  # 300 epochs for 1,000 rows, fewer by the root of 50, and at least 60
    text = Path("mine.toml").read_text()
    assert "--against baseline" in text
    (rate,) = [line for line in text.splitlines() if line.startswith("learning_rate")]
    assert rate.startswith("learning_rate = 0.003  # matters most; the best of three: cgl run FILE --tune")
    assert str(Tuning.read(rate.split("'")[1])) == "optim.learning_rate=[0.001, 0.003, 0.01]"


def own(dataset: str, backbone: str, path: str, *more: str) -> Result:
    arguments = ["new", "--dataset", dataset, "--backbone", backbone, "--path", path, "-o", "mine.toml", *more]
    return CliRunner().invoke(cgl, arguments)


def test_the_recipe_is_fitted_to_a_folder_of_images(workdir: Path) -> None:
    for name, count in (("cat", 100), ("dog", 8)):
        (workdir / "photos" / name).mkdir(parents=True)
        for number in range(count):
            Image.new("RGB", (120, 100)).save(workdir / "photos" / name / f"{number}.png")
    done = own("local_images", "resnet18", "photos")
    assert done.exit_code == 0, done.output
    pipeline = load_pipeline("mine.toml")
    data = pipeline.data.model_dump()
    assert (data["path"], data["size"], pipeline.backbone.model_dump()["stem"]) == ("photos", 96, "imagenet")
    # a fifth of 108 images is the test part, so 86 are left
    assert (data["holdout"], data["stratified_holdout"]) == (21, True)
    text = Path("mine.toml").read_text()
    assert "holdout = 21  # of 86 rows in 2 classes\n" in text
    assert "classes have 8 to 100 rows" in text
    assert (data["balance"], pipeline.method.selection.by) == ("sampling", "macro_f1")
    assert (pipeline.run.epochs, pipeline.optim.batch_size) == (400, 32)


def test_the_recipe_is_fitted_to_a_table_of_texts(workdir: Path) -> None:
    rows = [f"{'good' if number % 3 else 'bad'},a text with number {number}" for number in range(1250)]
    Path("mail.csv").write_text("\n".join(["sentiment,message", *rows]))
    assert own("local_text", "transformer", "mail.csv").exit_code == 0
    pipeline = load_pipeline("mine.toml")
    data = pipeline.data.model_dump()
    assert (data["path"], data["label"], data["holdout"], data["balance"]) == ("mail.csv", None, 100, "none")
    assert (pipeline.run.epochs, pipeline.optim.batch_size) == (60, 64)


def test_a_validation_part_is_the_holdout(workdir: Path) -> None:
    for name, rows in (("train", 300), ("test", 50), ("val", 70)):
        lines = [f"{number % 2},text {name} {number}" for number in range(rows)]
        Path(f"{name}.csv").write_text("\n".join(["label,text", *lines]))
    assert own("local_text", "vdcnn9", ".").exit_code == 0
    assert "holdout" not in Path("mine.toml").read_text()


def test_with_a_method_the_settings_are_the_papers_and_the_data_fit(workdir: Path) -> None:
    Path("mail.csv").write_text("\n".join(["label,text", *(f"{number % 2},text {number}" for number in range(1000))]))
    assert own("local_text", "vdcnn9", "mail.csv", "--method", "cgl").exit_code == 0
    pipeline = load_pipeline("mine.toml")
    assert (pipeline.optim.kind, pipeline.run.epochs, pipeline.method.students) == ("adam", 20, 8)
    assert pipeline.data.model_dump()["holdout"] == 80


@pytest.mark.parametrize(
    ("dataset", "backbone", "path", "told"),
    [
        ("local_images", "resnet18", "nowhere", "--path nowhere: there is no such file or folder"),
        ("cifar10", "resnet18", ".", "--path .: 'cifar10' has its own files"),
        ("local_text", "vdcnn9", "empty.csv", "empty.csv"),
    ],
)
def test_a_path_without_data(workdir: Path, dataset: str, backbone: str, path: str, told: str) -> None:
    Path("empty.csv").write_text("")
    done = own(dataset, backbone, path)
    assert (done.exit_code, done.stdout) == (2, "")
    assert told in done.stderr and "Traceback" not in done.stderr
    assert not Path("mine.toml").exists()


@pytest.mark.parametrize("output", ["out/dir/", "."])
def test_a_folder_is_no_file(workdir: Path, output: str) -> None:
    done = new("-o", output)
    assert (done.exit_code, done.stdout) == (2, "")
    assert f"-o {output} names a folder; give the name of the file" in done.stderr
    assert list(workdir.iterdir()) == []


def test_a_backbone_of_a_plugin(workdir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from cgl_ignite.backbones import BACKBONES

    monkeypatch.setattr(BACKBONES, "_builders", dict(BACKBONES._builders))
    monkeypatch.setattr(BACKBONES, "_facts", dict(BACKBONES._facts))
    Path("new_parts.py").write_text(
        "from cgl_ignite.backbones import BACKBONES\n"
        "from cgl_ignite.backbones.resnet import resnet8\n"
        'BACKBONES.register("my_net", modality="image")(lambda spec, classes: resnet8(spec, classes))\n'
    )
    monkeypatch.syspath_prepend(str(workdir))
    arguments = ["new", "--dataset", "cifar10", "--backbone", "my_net", "--plugin", "new_parts", "-o", "mine.toml"]
    done = CliRunner().invoke(cgl, arguments)
    assert (done.exit_code, done.stdout) == (0, ""), done.stderr
    pipeline = load_pipeline("mine.toml")
    assert (pipeline.plugins, pipeline.backbone.kind) == (["new_parts"], "my_net")


def test_an_unknown_backbone(workdir: Path) -> None:
    done = CliRunner().invoke(cgl, ["new", "--dataset", "cifar10", "--backbone", "resnet9"])
    assert done.exit_code == 2
    assert "unknown backbone 'resnet9'; did you mean 'resnet8'? (known: 'resnet8', " in done.stderr


def test_the_shipped_pipeline_of_the_digits_is_the_recommended_one(workdir: Path) -> None:
    arguments = ["new", "--dataset", "digits", "--backbone", "resnet8", "-o", "digits_recommended.toml"]
    assert CliRunner().invoke(cgl, arguments).exit_code == 0
    shipped = Path(__file__).resolve().parents[2] / "pipelines" / "digits_recommended.toml"
    assert load_pipeline("digits_recommended.toml") == load_pipeline(shipped)
