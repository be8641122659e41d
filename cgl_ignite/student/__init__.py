"""The student that leaves the pool: a network of its own, the card that describes it, and the file for both."""

from cgl_ignite.student.card import Card, Choice
from cgl_ignite.student.file import Format, read_student, write_student
from cgl_ignite.student.network import Student, example_inputs
from cgl_ignite.student.pictures import read_pictures
from cgl_ignite.student.score import Measured, measure

__all__ = [
    "Card",
    "Choice",
    "Format",
    "Measured",
    "Student",
    "example_inputs",
    "measure",
    "read_pictures",
    "read_student",
    "write_student",
]
