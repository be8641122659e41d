"""Texts: their data sets, the tables they come in, tokenizers, and the files that keep token ids."""

__all__: list[str] = []
