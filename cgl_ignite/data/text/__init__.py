"""Texts: data sets in their official layouts, encodings, and the files that keep what was encoded."""

from cgl_ignite.data.text.characters import ALPHABET, CharacterEncoder, characters
from cgl_ignite.data.text.imdb import imdb
from cgl_ignite.data.text.local import local_text
from cgl_ignite.data.text.progress import ProgressReport, watching
from cgl_ignite.data.text.reviews import amazon_review_full, yahoo_answers, yelp_review_full
from cgl_ignite.data.text.subwords import SubwordEncoder, sentencepiece

__all__ = [
    "ALPHABET",
    "CharacterEncoder",
    "ProgressReport",
    "SubwordEncoder",
    "amazon_review_full",
    "characters",
    "imdb",
    "local_text",
    "sentencepiece",
    "watching",
    "yahoo_answers",
    "yelp_review_full",
]
