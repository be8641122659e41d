"""An encoder of transformers in a pool: a small BERT of random weights, with a vocabulary of its own."""

from __future__ import annotations

import importlib.util
import json
import shutil
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from cgl_ignite.backbones import Backbone
from cgl_ignite.backbones.encoder import transformers
from cgl_ignite.catalogue import load_pipeline, try_weights
from cgl_ignite.config.schema import Loss, Pipeline
from cgl_ignite.data import Batch
from cgl_ignite.data.text.tokenizers.pretrained import PretrainedTokenizer, pretrained
from cgl_ignite.encoders import library, order_of_tokens, read_folder
from cgl_ignite.engine.evaluate import pool_logits
from cgl_ignite.engine.step import CollaborativeStep
from cgl_ignite.errors import ConfigError, InputError
from cgl_ignite.export import Exported, Int8, export_student
from cgl_ignite.imitation import View
from cgl_ignite.imitation.aggregate import Mean
from cgl_ignite.imitation.choose import others
from cgl_ignite.pipeline import run
from cgl_ignite.pool import ModularNetwork, extract_student, modular_layers
from cgl_ignite.runs import open_run
from cgl_ignite.student import read_student, tokenizer_of
from cgl_ignite.tracking.memory import MemoryTracker
from tests.backbones.test_module import routed, without_drops
from tests.equivalence.reference import PlainStudents
from tests.kinds import WORDS, small_pipeline
from tests.test_registered_parts import trained_and_resumed

pytest.importorskip("transformers", reason="transformers is not installed")

STUDENTS, CLASSES, LENGTH = 3, 4, 10
SPECIAL = ("[CLS]", "[MASK]", "[PAD]", "[SEP]", "[UNK]")


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Save a BERT of two blocks and its tokenizer, whose padding is not token 0."""
    known, place = library(), tmp_path_factory.mktemp("bert")
    vocabulary = [*SPECIAL, *WORDS, "##s"]
    (place / "vocab.txt").write_text("\n".join(vocabulary), "utf-8")
    known.BertTokenizerFast(str(place / "vocab.txt")).save_pretrained(place)
    sizes = {"hidden_size": 8, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 16}
    config = known.BertConfig(
        vocab_size=len(vocabulary), max_position_embeddings=32, pad_token_id=SPECIAL.index("[PAD]"), **sizes
    )
    torch.manual_seed(5)
    network = known.BertModel(config)
    for parameter in network.parameters():
        parameter.data += 0.1 * torch.randn_like(parameter)
    network.save_pretrained(place)
    return place


def cut(folder: Path) -> Backbone:
    return transformers(pretrained(folder=str(folder), length=LENGTH).spec, CLASSES, folder=str(folder))


def texts(rows: int) -> Tensor:
    """Return token ids of texts of different lengths; 0 is padding."""
    tokens = torch.randint(1, len(SPECIAL) + len(WORDS), (rows, LENGTH), generator=torch.Generator().manual_seed(rows))
    for row in range(rows):
        tokens[row, 2 + row % (LENGTH - 2) :] = 0
    return tokens


def original(folder: Path, weights: dict[str, Tensor]) -> Any:
    """Return the network as the library makes it, with these weights."""
    network = library().AutoModelForSequenceClassification.from_pretrained(
        folder, num_labels=CLASSES, attention_probs_dropout_prob=0.0
    )
    found = network.load_state_dict(weights, strict=False)
    assert not found.unexpected_keys
    assert not found.missing_keys
    return network


def test_the_order_of_tokens_begins_with_padding_and_unknown(folder: Path) -> None:
    found = read_folder(str(folder))
    assert (found.padding, found.unknown, found.tokens) == (2, 4, len(SPECIAL) + len(WORDS) + 1)
    assert order_of_tokens(found.tokens, 2, 4)[:6] == [2, 4, 0, 1, 3, 5]


def test_texts_are_encoded_as_the_tokenizer_does(folder: Path) -> None:
    tokenizer = pretrained(folder=str(folder), length=6).tokenizer
    known = library().AutoTokenizer.from_pretrained(folder)
    written = ["good foods", "Cold, bad", "good great warm cold fine poor room"]
    found = tokenizer.encode(written)
    order = torch.tensor(order_of_tokens(18, 2, 4))
    expected = known(written, padding=True, truncation=True, max_length=6, return_tensors="pt").input_ids
    assert torch.equal(order[found], expected)
    assert (found == 0).sum() == (expected == 2).sum() > 0
    assert tokenizer.decode(found)[0] == "good foods"
    state = json.loads(json.dumps(tokenizer.state()))
    assert torch.equal(PretrainedTokenizer.restore(state).encode(written), found)


def test_layers_are_the_embeddings_and_the_blocks(folder: Path) -> None:
    layers = modular_layers(cut(folder))
    assert len(layers) == 4
    names = [{name.split(".")[1] for name in builder().state_dict()} for builder in layers]
    assert names == [{"embeddings"}, {"encoder"}, {"encoder"}, {"pooler", "weight", "bias"}]


def test_a_planned_step_is_a_plain_loop(folder: Path) -> None:
    layers = [partial(without_drops, builder) for builder in modular_layers(cut(folder))]
    pool, counts, paths = routed(layers)
    plain = PlainStudents(layers, counts, paths)
    plain.copy_weights(pool)
    optimizer = SimpleNamespace(zero_grad=lambda **_: pool.zero_grad(), step=lambda: None)
    aggregator = Mean(STUDENTS, others(STUDENTS), View(torch.flatten, None, 1))
    loss = Loss(temperature_squared=True, teacher_gradient="flows")
    step = CollaborativeStep(pool.train(), aggregator, optimizer, range(STUDENTS), loss, STUDENTS)
    sizes, imitated = (3, 4, 3), [[False, True, True], [True, False, False], [False, True, False]]
    inputs, targets = texts(sum(sizes)), torch.arange(sum(sizes)) % CLASSES
    state = SimpleNamespace(imitated=torch.tensor(imitated), ramp=0.7, iteration=1)
    losses = step(SimpleNamespace(state=state), Batch(inputs, targets, sizes))
    ce, kl = plain.losses(inputs.split(sizes), targets.split(sizes), range(STUDENTS), imitated, 3.0, True, True)
    (ce + 0.7 * kl).sum().backward()
    torch.testing.assert_close(losses.ce, ce.detach(), rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(losses.kl, kl.detach(), rtol=1e-9, atol=1e-9)
    for mine, theirs in zip(plain.modules, pool.layers, strict=True):
        for expected, found in zip(mine, theirs, strict=True):
            for (key, one), (_, other) in zip(expected.named_parameters(), found.named_parameters(), strict=True):
                assert (one.grad is None) == (other.grad is None), key
                if one.grad is not None and other.grad is not None:
                    torch.testing.assert_close(other.grad, one.grad, rtol=1e-6, atol=1e-9)


def test_a_student_is_the_network_with_its_weights(folder: Path) -> None:
    pool, _, _ = routed(modular_layers(cut(folder)))
    inputs, order = texts(5), torch.tensor(order_of_tokens(18, 2, 4))
    together = pool_logits(pool.eval(), inputs)
    for student in range(STUDENTS):
        alone = extract_student(pool, student)
        weights = {key.partition(".")[2]: value for key, value in alone.state_dict().items()}
        network = original(folder, weights).double().eval()
        expected = network(input_ids=order[inputs], attention_mask=(inputs != 0).long()).logits
        torch.testing.assert_close(alone(inputs), expected, rtol=1e-12, atol=1e-12)
        torch.testing.assert_close(together[student], expected, rtol=1e-12, atol=1e-12)


def test_more_padding_changes_nothing(folder: Path) -> None:
    pool, _, _ = routed(modular_layers(cut(folder)))
    inputs = texts(5)[:, : LENGTH - 3]
    more = torch.nn.functional.pad(inputs, (0, 3))
    torch.testing.assert_close(pool_logits(pool.eval(), inputs), pool_logits(pool, more), rtol=1e-12, atol=1e-12)


def pipeline(root: Path, folder: Path, records: Path, **backbone: Any) -> dict[str, Any]:
    tree = small_pipeline("local_text", root, records)
    tree["data"]["encoding"] = {"kind": "transformers", "folder": str(folder), "length": 16}
    tree["backbone"] = {"kind": "transformers", "folder": str(folder), **backbone}
    tree["method"] = {"preset": "cgl", "students": STUDENTS}
    tree["run"] |= {"epochs": 2, "checkpoint_every": {"iterations": 1}}
    return tree


def test_it_trains_from_its_weights_and_resumes(folder: Path, tmp_path: Path) -> None:
    def settings(records: Path) -> Pipeline:
        return load_pipeline(pipeline(tmp_path, folder, records, weights="DEFAULT"))

    beginning = try_weights(settings(tmp_path))
    assert beginning is not None
    assert not beginning.classifier
    halfway, found = trained_and_resumed(tmp_path, settings)
    assert (halfway["trainer"]["iteration"], found["state"]["trainer"]["iteration"]) == (1, 2)
    name = "layers.1.0.bert.encoder.layer.0.output.dense.weight"
    assert not torch.equal(found["state"]["pool"][name], halfway["pool"][name])


def test_every_module_begins_with_the_weights_of_the_folder(folder: Path, tmp_path: Path) -> None:
    from tests.pretrained.test_begin import assembled

    tree = pipeline(tmp_path, folder, tmp_path, weights="DEFAULT")
    tree["method"]["start"] = {"kind": "equal"}
    pool: ModularNetwork = assembled(load_pipeline(tree)).pool
    expected = library().BertModel.from_pretrained(folder).state_dict()
    loaded = set()
    for name, value in pool.state_dict().items():
        rest = name.split(".", 3)[3]
        if rest.startswith("bert."):
            assert torch.equal(value, expected[rest.removeprefix("bert.")]), name
            loaded.add(rest.removeprefix("bert."))
    assert loaded == expected.keys()


def test_a_student_carries_all_it_needs(folder: Path, tmp_path: Path) -> None:
    copy = tmp_path / "bert"
    shutil.copytree(folder, copy)
    (result,) = run(load_pipeline(pipeline(tmp_path, copy, tmp_path)), tracker=MemoryTracker())
    written = ["good place", "cold rooms"]
    student, _ = read_student(Path(result.student))
    expected = student(tokenizer_of(student).encode(written))
    shutil.rmtree(copy)
    read_folder.cache_clear()
    student, card = read_student(Path(result.student))
    assert "folder" not in card.backbone.options
    torch.testing.assert_close(student(tokenizer_of(student).encode(written)), expected)


@pytest.fixture(scope="module")
def finished(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Train for two steps; return the checkpoint."""
    place = tmp_path_factory.mktemp("finished")
    (result,) = run(load_pipeline(pipeline(place, folder, place)), tracker=MemoryTracker())
    return Path(result.checkpoint)


@pytest.mark.parametrize(("form", "int8"), [("pt2", None), ("onnx", None), ("onnx", Int8(most_drop=100))])
def test_a_student_leaves_as_a_program(finished: Path, tmp_path: Path, form: str, int8: Int8 | None) -> None:
    """Texts of every length, and any number of them, get the answers of the student; in int8 almost."""
    if form == "onnx":
        pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
        pytest.importorskip("onnxscript", reason="onnxscript is not installed")
    exported = export_student(open_run(str(finished), tmp_path), form=form, target=tmp_path, int8=int8)
    student, _ = read_student(finished.with_name("student.pt"))
    program, _ = read_student(exported.path)
    if int8:
        _check_int8(exported, program, student)
        return
    for written in (["good place"], ["cold rooms", "good", "bad food and cold rooms"], ["good " * 30]):
        tokens = tokenizer_of(student).encode(written)
        torch.testing.assert_close(program(tokens), student(tokens), rtol=1e-4, atol=1e-5)


def _check_int8(exported: Exported, program: nn.Module, student: nn.Module) -> None:
    """The weights of all linear layers are integers; the answers differ by little of the logits."""
    import onnx

    stored = {each.name: each.data_type for each in onnx.load(exported.path).graph.initializer}
    rounded = [name for name, kind in stored.items() if kind == onnx.TensorProto.INT8 and "zero_point" not in name]
    assert len(rounded) == 2 * 6 + 2  # six layers a block, the pooler and the classifier
    tokens = tokenizer_of(student).encode(["cold rooms", "good", "bad food and cold rooms", "great staff"])
    with torch.no_grad():
        expected, found = student(tokens), program(tokens)
    told = exported.card.quantised
    assert told is not None and 0 < told.difference < 0.1 * told.logit
    assert 0 < float((found - expected).abs().max()) < 0.1 * float(expected.abs().max())


def test_another_tokenizer_is_refused(folder: Path, tmp_path: Path) -> None:
    tree = pipeline(tmp_path, folder, tmp_path)
    tree["data"]["encoding"] = {"kind": "characters", "length": 16}
    with pytest.raises(ConfigError, match=r"the network reads 18 tokens, .* take its own tokenizer: data\.encoding"):
        load_pipeline(tree)


@pytest.mark.parametrize(("name", "value"), [("backbone", {"folder": "nowhere"}), ("encoding", {"folder": "nowhere"})])
def test_a_folder_that_is_not_there_is_named(folder: Path, tmp_path: Path, name: str, value: dict[str, Any]) -> None:
    tree = pipeline(tmp_path, folder, tmp_path)
    (tree["backbone"] if name == "backbone" else tree["data"]["encoding"]).update(value)
    with pytest.raises((ConfigError, InputError), match="there is no folder 'nowhere'"):
        load_pipeline(tree)


def test_texts_longer_than_the_positions_are_refused(folder: Path, tmp_path: Path) -> None:
    tree = pipeline(tmp_path, folder, tmp_path)
    tree["data"]["encoding"]["length"] = 64
    with pytest.raises(ConfigError, match="cannot take texts of 64 tokens"):
        load_pipeline(tree)


def test_without_the_package_the_extra_is_told(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read_folder.cache_clear()
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises((ConfigError, InputError), match=r"pip install 'cgl_ignite\[transformers\]'"):
        load_pipeline(pipeline(tmp_path, folder, tmp_path))
