"""Augmentation of training batches; a module here registers its kinds when it is imported."""

from cgl_ignite.data.augment.base import AUGMENTATIONS, Augmentation, Samples, build_augmentations, none
from cgl_ignite.data.augment.color_jitter import color_jitter
from cgl_ignite.data.augment.crop_flip import crop_flip
from cgl_ignite.data.augment.erasing import random_erasing
from cgl_ignite.data.augment.mixing import cutmix, mixup
from cgl_ignite.data.augment.resized_crop import random_resized_crop
from cgl_ignite.data.augment.rotation import rotation
from cgl_ignite.data.augment.texts import token_dropout, word_dropout
from cgl_ignite.data.augment.trivial import rand_augment, trivial_augment

__all__ = [
    "AUGMENTATIONS",
    "Augmentation",
    "Samples",
    "build_augmentations",
    "color_jitter",
    "crop_flip",
    "cutmix",
    "mixup",
    "none",
    "rand_augment",
    "random_erasing",
    "random_resized_crop",
    "rotation",
    "token_dropout",
    "trivial_augment",
    "word_dropout",
]
