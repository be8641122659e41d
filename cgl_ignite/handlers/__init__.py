"""What happens around the training step: each handler keeps one fact, on ``engine.state``."""

__all__: list[str] = []
