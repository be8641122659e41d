"""The user's own images: finding the files, decoding them, and the data set made of them."""

from cgl_ignite.data.images.decode import BACKGROUND, Resize, read_image
from cgl_ignite.data.images.files import SkippedFiles, images_below, printable
from cgl_ignite.data.images.local import local_images

__all__ = ["BACKGROUND", "Resize", "SkippedFiles", "images_below", "local_images", "printable", "read_image"]
