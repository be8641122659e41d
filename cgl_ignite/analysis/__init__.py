"""What recorded runs tell: figures of a run."""

from cgl_ignite.analysis.figures import diversity_figure, routing_figure, training_figure

__all__ = ["diversity_figure", "routing_figure", "training_figure"]
