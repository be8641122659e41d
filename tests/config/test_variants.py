"""``[methods]``: one document per method, equal in all else, and every fault told at the line it stands in."""

from __future__ import annotations

from pathlib import Path

import pytest

from cgl_ignite.catalogue import bind_methods, load_pipeline
from cgl_ignite.config.dump import fingerprint, values
from cgl_ignite.config.load import load_document
from cgl_ignite.config.presets import METHODS, PAPER_METHODS
from cgl_ignite.config.variants import deviations, known_methods
from cgl_ignite.errors import ConfigError

PIPELINES = Path(__file__).resolve().parents[2] / "pipelines"
DIGITS = PIPELINES / "digits_resnet.toml"


def document(tmp_path, text="", *overrides):
    path = tmp_path / "mine.toml"
    path.write_text(f'extends = "{DIGITS.as_posix()}"\n{text}', encoding="utf-8")
    return load_document(path, overrides)


def test_the_six_methods_of_the_paper_are_presets():
    assert PAPER_METHODS == ("baseline", "dml", "cl_ilr", "one", "okddip", "cgl")
    assert set(PAPER_METHODS) <= METHODS.keys()


def test_a_preset_replaces_the_method_as_a_whole(tmp_path):
    mine = document(tmp_path, '[method]\npreset = "cgl"\nstudents = 4\nclassifier = "shared"\n')
    bound = bind_methods(mine, ["baseline", "cgl"])
    assert (bound["baseline"].method.students, bound["cgl"].method.students) == (1, 8)
    assert bound["cgl"].method.classifier == "module"
    assert bound["cgl"] == load_pipeline(DIGITS, ["name=mine"])
    common = [{key: value for key, value in values(one).items() if key != "method"} for one in bound.values()]
    assert common[0] == common[1]


def test_an_entry_lies_over_its_preset_and_may_be_new(tmp_path):
    text = "[methods.cgl]\nstudents = 4\n[methods.greedy]\npreset = 'cgl'\nchoose = { kind = 'others' }\n"
    mine = document(tmp_path, text, "methods.cgl.choose.probability=0.5")
    assert known_methods(mine) == (*PAPER_METHODS, "greedy")
    bound = bind_methods(mine, ["cgl", "greedy"])
    cgl, greedy = bound["cgl"].method, bound["greedy"].method
    assert (cgl.students, cgl.choose.options) == (4, {"probability": 0.5})
    assert (greedy.students, greedy.choose.kind, greedy.preset) == (8, "others", "cgl")


def test_optim_and_run_of_an_entry_hold_for_it_alone(tmp_path):
    text = "[methods.cgl.optim]\nlearning_rate = 0.5\n[methods.cgl.run]\nepochs = 3\n"
    mine = document(tmp_path, text)
    bound = bind_methods(mine, ["baseline", "cgl"])
    assert (bound["cgl"].optim.learning_rate, bound["cgl"].run.epochs) == (0.5, 3)
    assert (bound["baseline"].optim.learning_rate, bound["baseline"].run.epochs) == (4e-3, 40)
    assert bound["cgl"].optim.batch_size == bound["baseline"].optim.batch_size
    assert deviations(mine, "cgl") == {"optim.learning_rate": 0.5, "run.epochs": 3}
    assert deviations(mine, "baseline") == {}


def test_another_optimizer_keeps_what_every_optimizer_has(tmp_path):
    base = tmp_path / "base.toml"
    base.write_text(
        f'extends = "{DIGITS.as_posix()}"\n[methods.cgl.optim]\nkind = "adam"\nlearning_rate = 0.5\n', encoding="utf-8"
    )
    top = tmp_path / "top.toml"
    top.write_text('extends = "base.toml"\n[methods.cgl.optim]\nkind = "sgd"\n', encoding="utf-8")
    optim = bind_methods(load_document(top), ["cgl"])["cgl"].optim
    assert (optim.kind, optim.learning_rate, optim.batch_size) == ("sgd", 0.5, 16)


def test_a_run_ignores_the_table(tmp_path):
    with_table = load_pipeline(document(tmp_path, "[methods.cgl]\nstudents = 4\n").path)
    plain = load_pipeline(document(tmp_path).path)
    assert with_table == plain
    assert fingerprint(with_table) == fingerprint(plain)


FAULTS = {
    "no tables": ("methods = 3", ":2: methods", "[methods.cgl]"),
    "no table": ("[methods]\ncgl = 3", ":3: methods.cgl", "[methods.cgl]"),
    "unknown preset": ("[methods.mine]\npreset = 'clg'", ":3: methods.mine.preset", "'cgl'"),
    "no preset": ("[methods.mine]\nstudents = 4", ":2: methods.mine.preset", "is missing"),
    "unknown key": ("[methods.cgl]\nstudnets = 4", ":3: methods.cgl.studnets", "'students'"),
    "bad value": ("[methods.cgl.choose]\nprobability = 1.5", ":3: methods.cgl.choose.probability", "at most 1"),
    "bad kind": ("[methods.cgl]\nchoose = {kind = 'other'}", ":3: methods.cgl.choose.kind", "'others'"),
    "contradiction": ("[methods.cgl]\nstudents = 17", ":3: methods.cgl.students", "16"),
    "bad rate": ("[methods.cgl.optim]\nlearning_rate = -1", ":3: methods.cgl.optim.learning_rate", "-1"),
    "bad epochs": ("[methods.cgl.run]\nepochs = 0", ":3: methods.cgl.run.epochs", "at least 1"),
    "a name with a comma": ("[methods.'a,b']\npreset = 'cgl'", ":2: methods.a,b", "comma"),
    "the name all": ("[methods.all]\npreset = 'cgl'", ":2: methods.all", "reserved"),
}


@pytest.mark.parametrize(("text", "where", "hint"), FAULTS.values(), ids=FAULTS)
def test_a_fault_is_told_once_with_its_line_and_key(tmp_path, text, where, hint):
    path = document(tmp_path, text).path
    with pytest.raises(ConfigError) as caught:
        load_pipeline(path)
    (problem,) = caught.value.problems
    assert where in str(problem) and hint in str(problem)


def test_faults_of_several_methods_come_together_in_the_order_of_the_file(tmp_path):
    text = "[methods.cgl]\nstudents = 0\n[methods.dml]\nstudents = 0\n[run]\nepochs = 0\n"
    with pytest.raises(ConfigError) as caught:
        bind_methods(document(tmp_path, text), ["dml", "cgl"])
    keys = [problem.key for problem in caught.value.problems]
    assert keys == ["methods.cgl.students", "methods.dml.students", "run.epochs"]


def test_setting_the_method_of_a_comparison_is_refused(tmp_path):
    mine = document(tmp_path, "", "method.students=4")
    with pytest.raises(ConfigError, match=r"methods\.NAME\.students"):
        bind_methods(mine, ["cgl"])


def test_a_preset_that_does_not_fit_the_pipeline_is_told_under_its_name(tmp_path):
    mine = document(tmp_path, "[data]\nlimit = 60\nholdout = 50\n")
    with pytest.raises(ConfigError) as caught:
        bind_methods(mine, ["baseline", "cgl"])
    assert [problem.key for problem in caught.value.problems] == ["methods.cgl.students"]
