"""The training step and its replay, the evaluator, the trainer and the optimizers."""

__all__: list[str] = []
