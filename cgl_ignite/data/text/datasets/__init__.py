"""Data sets of texts, in their official layouts or in tables of the user."""

__all__: list[str] = []
