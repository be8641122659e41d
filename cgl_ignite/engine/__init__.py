"""The training step, the evaluator, the trainer and the optimizers."""

__all__: list[str] = []
