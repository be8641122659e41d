"""What a run and a comparison tell the person in front of them; :mod:`cgl_ignite.cli` draws it."""

from cgl_ignite.display.board import Board, CellState, NoBoard
from cgl_ignite.display.screen import NoScreen, Screen, Summary

__all__ = ["Board", "CellState", "NoBoard", "NoScreen", "Screen", "Summary"]
