"""What makes token ids of texts: characters, or pieces of words learned from the training part."""

__all__: list[str] = []
