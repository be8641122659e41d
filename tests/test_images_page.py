"""What ``docs/images.md`` says of augmentations is what there is."""

from __future__ import annotations

import re
from pathlib import Path

from cgl_ignite.catalogue import load_pipeline
from cgl_ignite.config.dump import toml_value
from cgl_ignite.data import AUGMENTATIONS, build_augmentations
from cgl_ignite.spec import InputSpec

ROOT = Path(__file__).resolve().parents[1]
SECTION = (ROOT / "docs" / "images.md").read_text("utf-8").split("## Augmentation")[1]
ROWS = {kind: cells.split(" | ") for kind, cells in re.findall(r"^\| `(\w+)` \| (.*) \|$", SECTION, re.MULTILINE)}


def test_the_pipeline_shown_can_be_used(tmp_path: Path) -> None:
    extends = (ROOT / "pipelines" / "digits_resnet.toml").as_posix()
    shown = re.search(r"```toml\n(.*?)```", SECTION, re.DOTALL)[1]
    (tmp_path / "shown.toml").write_text(f'extends = "{extends}"\n{shown}', encoding="utf-8")
    parts = load_pipeline(tmp_path / "shown.toml").data.augmentations
    assert [part.kind for part in parts] == ["crop_flip", "trivial_augment", "random_erasing", "cutmix"]
    raw, normalised = build_augmentations(parts, InputSpec("image", (3, 32, 32)))
    assert (len(raw), len(normalised)) == (2, 2)


def test_every_kind_for_images_is_listed_with_its_options() -> None:
    kinds = [kind for kind in AUGMENTATIONS.kinds() if AUGMENTATIONS.facts(kind).get("modality") != "text"]
    assert sorted(ROWS) == sorted(kinds)
    for kind, (changes, _, options, _) in ROWS.items():
        expected = [f"`{name} = {toml_value(given.default)}`" for name, given in AUGMENTATIONS.options(kind).items()]
        assert options == ", ".join(expected)
        stage = "normalised" if AUGMENTATIONS.facts(kind).get("normalised") else "raw"
        assert changes == ("nothing" if kind == "none" else f"{stage} images")
