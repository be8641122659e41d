from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from cgl_ignite import compat


def test_torchvision_imports_after_compat_in_a_fresh_process() -> None:
    code = "from cgl_ignite import compat; from torchvision import datasets, models, transforms"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_answer_is_whether_compiled_operators_work() -> None:
    import torch

    boxes, scores = torch.tensor([[0.0, 0.0, 1.0, 1.0]]), torch.ones(1)
    if compat.ensure_torchvision():
        assert torch.ops.torchvision.nms(boxes, scores, 0.5).tolist() == [0]
    else:
        with pytest.raises(NotImplementedError):
            torch.ops.torchvision.nms(boxes, scores, 0.5)


def test_asking_again_declares_nothing_twice() -> None:
    assert compat.ensure_torchvision() is compat.ensure_torchvision.__wrapped__()


def test_a_file_that_is_no_library_does_not_load(tmp_path: Path) -> None:
    library = tmp_path / "_C.so"
    library.write_bytes(b"no library")
    assert not compat._loads(library)
