"""Augmentation of training batches; a module here registers its kinds when it is imported."""

from cgl_ignite.data.augment.base import AUGMENTATIONS, Augmentation, Samples, build_augmentations, none
from cgl_ignite.data.augment.crop_flip import crop_flip
from cgl_ignite.data.augment.erasing import random_erasing
from cgl_ignite.data.augment.mixing import cutmix, mixup
from cgl_ignite.data.augment.texts import token_dropout, word_dropout
from cgl_ignite.data.augment.trivial import rand_augment, trivial_augment

__all__ = [
    "AUGMENTATIONS",
    "Augmentation",
    "Samples",
    "build_augmentations",
    "crop_flip",
    "cutmix",
    "mixup",
    "none",
    "rand_augment",
    "random_erasing",
    "token_dropout",
    "trivial_augment",
    "word_dropout",
]
