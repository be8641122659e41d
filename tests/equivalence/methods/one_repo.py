"""ONE as the OKDDip repository computes it: the divergence reaches the gate and all branches through the teacher."""

from __future__ import annotations

from tests.equivalence.methods.one import ONE


class RepositoryONE(ONE):
    detached = False
