"""Configuration: TOML files, presets and recipes, and the models that check them.

Nothing is imported here, so that ``cgl --help`` and ``cgl new`` load neither pydantic nor PyTorch.
"""

__all__: list[str] = []
