"""What was computed of texts once and is kept in files."""

__all__: list[str] = []
