"""The student that leaves the pool: a network of its own, its card, and the file for both."""

from cgl_ignite.student.answers import Answer, Question, answers
from cgl_ignite.student.card import Card, Chosen
from cgl_ignite.student.examples import read_test_part
from cgl_ignite.student.file import read_student, write_student
from cgl_ignite.student.network import Student, example_inputs, tokenizer_of
from cgl_ignite.student.pictures import find_pictures, read_pictures
from cgl_ignite.student.score import Measured, logits, measure
from cgl_ignite.student.texts import answer_texts, read_texts

__all__ = [
    "Answer",
    "Card",
    "Chosen",
    "Measured",
    "Question",
    "Student",
    "answer_texts",
    "answers",
    "example_inputs",
    "find_pictures",
    "logits",
    "measure",
    "read_pictures",
    "read_student",
    "read_test_part",
    "read_texts",
    "tokenizer_of",
    "write_student",
]
