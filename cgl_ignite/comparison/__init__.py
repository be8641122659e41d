"""Several methods trained alike: one run for each method and seed, their table and their figures."""

__all__: list[str] = []
