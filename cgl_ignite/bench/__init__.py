"""How fast it is: the trainer beside loops written by hand, and the figures that say so."""

__all__: list[str] = []
