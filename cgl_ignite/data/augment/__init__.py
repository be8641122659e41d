"""Augmentation of training batches; a module here registers its kinds when it is imported."""

from cgl_ignite.data.augment.base import AUGMENTATIONS, Augmentation, Samples, build_augmentations, none
from cgl_ignite.data.augment.crop_flip import crop_flip
from cgl_ignite.data.augment.mixing import cutmix, mixup
from cgl_ignite.data.augment.texts import token_dropout, word_dropout

__all__ = [
    "AUGMENTATIONS",
    "Augmentation",
    "Samples",
    "build_augmentations",
    "crop_flip",
    "cutmix",
    "mixup",
    "none",
    "token_dropout",
    "word_dropout",
]
