"""The command ``cgl``: one module per verb, imported when the verb is called."""

__all__: list[str] = []
