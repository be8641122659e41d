"""Train several students together and keep the best: collaborative group learning on PyTorch-Ignite."""

__all__ = ["__version__"]

__version__ = "0.1.0"
