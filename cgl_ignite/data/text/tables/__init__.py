"""Tables of labelled texts: format, header and columns found out, rows read in blocks."""

__all__: list[str] = []
