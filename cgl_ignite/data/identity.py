"""What makes two readings of a data set the same data: files, classes, rows."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b

from cgl_ignite.data.base import DataSource, Examples
from cgl_ignite.data.encoding import Preprocessing
from cgl_ignite.data.hashing import hash_rows
from cgl_ignite.data.stored import loaded
from cgl_ignite.data.text.ragged import Ragged

__all__ = ["identify_data"]

_LONGEST = 200
_ROWS_AT_ONCE = 4096


def identify_data(source: DataSource, encoding: Preprocessing) -> dict[str, str]:
    """Describe what was read by rows, classes and the digest of its files, or of its rows if there is none.

    Neither place nor time of change of a file counts. The result is a digest for
    :func:`cgl_ignite.data.digest.changes`.
    """
    parts = {"training": source.train, "test": source.test()}
    if source.holdout is not None:
        parts["holdout"] = source.holdout()
    targets = {name: encoding.targets(part) for name, part in parts.items()}
    facts = {f"{name}: rows": f"{len(rows):,}" for name, rows in targets.items()}
    facts["classes"] = _listed(source.classes)
    if source.digest:
        return {**facts, **source.digest}
    for name, part in parts.items():
        content = blake2b(targets[name].numpy().tobytes(), digest_size=12)
        for rows in part.inputs.split(_ROWS_AT_ONCE) if isinstance(part, Examples) else ():
            dense = rows.padded() if isinstance(rows, Ragged) else loaded(rows)
            content.update(hash_rows(dense).numpy().tobytes())
        facts[f"{name}: content"] = content.hexdigest()
    return facts


def _listed(names: Sequence[str]) -> str:
    text = ", ".join(names)
    if len(text) <= _LONGEST:
        return text
    digest = blake2b("\n".join(names).encode(errors="surrogateescape"), digest_size=6).hexdigest()
    return f"{text[:_LONGEST]}... ({len(names)} in all, {digest})"
