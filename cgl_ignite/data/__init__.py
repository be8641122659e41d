"""Data: what a student learns from. A module here registers its part when it is imported."""

from cgl_ignite.data.archive import Archive
from cgl_ignite.data.augment import AUGMENTATIONS, Augmentation, Samples, build_augmentations
from cgl_ignite.data.base import DATASETS, DataSource, Examples, InputSpec, data_root
from cgl_ignite.data.batches import Batch, Batches, evaluation_batches, evaluation_order, iterations_of_a_pass
from cgl_ignite.data.cifar import cifar10, cifar100
from cgl_ignite.data.digits import digits
from cgl_ignite.data.encoding import ENCODINGS, Preprocessing, Preprocessor, Tokenizer, as_they_are, restore_tokenizer
from cgl_ignite.data.images import local_images
from cgl_ignite.data.look import Look, input_of, is_present, look_at
from cgl_ignite.data.normalise import Normaliser, PadTokens, measure_normaliser
from cgl_ignite.data.report import DataReport, describe_data
from cgl_ignite.data.splits import Splits, choose_stratified, prepare, rows_held_out
from cgl_ignite.data.subsets import SUBSETS, Subsets, disjoint, whole
from cgl_ignite.data.text.corpus import Block, Corpus
from cgl_ignite.data.text.datasets.imdb import imdb
from cgl_ignite.data.text.datasets.local import local_text
from cgl_ignite.data.text.datasets.reviews import amazon_review_full, yahoo_answers, yelp_review_full
from cgl_ignite.data.text.ragged import Ragged
from cgl_ignite.data.text.tokenizers.characters import CharacterTokenizer, characters
from cgl_ignite.data.text.tokenizers.files import dump_tokenizer, parse_tokenizer
from cgl_ignite.data.text.tokenizers.pretrained import PretrainedTokenizer, pretrained
from cgl_ignite.data.text.tokenizers.subwords import SubwordTokenizer, sentencepiece
from cgl_ignite.spec import WordMarks

__all__ = [
    "AUGMENTATIONS",
    "DATASETS",
    "ENCODINGS",
    "SUBSETS",
    "Archive",
    "Augmentation",
    "Batch",
    "Batches",
    "Block",
    "CharacterTokenizer",
    "Corpus",
    "DataReport",
    "DataSource",
    "Examples",
    "InputSpec",
    "Look",
    "Normaliser",
    "PadTokens",
    "Preprocessing",
    "Preprocessor",
    "PretrainedTokenizer",
    "Ragged",
    "Samples",
    "Splits",
    "Subsets",
    "SubwordTokenizer",
    "Tokenizer",
    "WordMarks",
    "amazon_review_full",
    "as_they_are",
    "build_augmentations",
    "characters",
    "choose_stratified",
    "cifar10",
    "cifar100",
    "data_root",
    "describe_data",
    "digits",
    "disjoint",
    "dump_tokenizer",
    "evaluation_batches",
    "evaluation_order",
    "imdb",
    "input_of",
    "is_present",
    "iterations_of_a_pass",
    "local_images",
    "local_text",
    "look_at",
    "measure_normaliser",
    "parse_tokenizer",
    "prepare",
    "pretrained",
    "restore_tokenizer",
    "rows_held_out",
    "sentencepiece",
    "whole",
    "yahoo_answers",
    "yelp_review_full",
]
