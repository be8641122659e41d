from __future__ import annotations

from collections.abc import Iterator

import pytest

from cgl_ignite.backbones import BACKBONES
from cgl_ignite.data import DATASETS
from cgl_ignite.data.encoding import ENCODINGS
from tests.equivalence.methods.toy import FACTS, toy_ids, toy_tokens, toy_transformer


@pytest.fixture(scope="module", autouse=True)
def _toys() -> Iterator[None]:
    """Register the toy parts for the tests of one module, and for no others."""
    with pytest.MonkeyPatch.context() as patch:
        for registry in (BACKBONES, DATASETS, ENCODINGS):
            for name in ("_builders", "_facts"):
                patch.setattr(registry, name, dict(getattr(registry, name)))
        BACKBONES.register("toy_transformer", modality="text")(toy_transformer)
        DATASETS.register("toy_tokens", modality="text", **FACTS)(toy_tokens)
        ENCODINGS.register("toy_ids", modality="text")(toy_ids)
        yield
