"""One pool over several processes: who computes what, how gradients are added up, and how all of them end together."""

__all__: list[str] = []
