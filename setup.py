"""Package description of cgl_ignite; the version stands in ``cgl_ignite/__init__.py``."""

import re
from pathlib import Path

from setuptools import find_packages, setup

ROOT = Path(__file__).resolve().parent
VERSION = re.search(r'^__version__ = "(.+)"$', (ROOT / "cgl_ignite" / "__init__.py").read_text("utf-8"), re.M)

REQUIREMENTS = [
    "torch>=2.6,<3",
    "torchvision>=0.21",
    "pytorch-ignite>=0.5.5,<0.6",
    "mlflow>=3.14,<4",
    "sentencepiece>=0.2",
    "pydantic>=2.7,<3",
    "click>=8.1",
    "rich>=13",
    "numpy>=1.26",
    "pyarrow>=17",
    "scipy>=1.11",
    "scikit-learn>=1.4",
    "matplotlib>=3.8",
    "psutil>=5.9",
    "filelock>=3.12",
    "Jinja2>=3.1",
    "tomli>=2; python_version < '3.11'",
]

EXTRAS = {
    "gpu": ["nvidia-ml-py>=12"],
    "timm": ["timm>=1"],
    "transformers": ["transformers>=4.48,<6"],
    "onnx": ["onnx>=1.18", "onnxscript>=0.5", "onnxruntime>=1.20"],
    "safetensors": ["safetensors>=0.5"],
    "slurm": ["submitit>=1.5,<2"],
    "test": [
        "pytest>=8",
        "pytest-benchmark>=4",
        "pytest-timeout>=2.3",
        "pytest-xdist>=3.6",
        "hypothesis>=6.100",
        "packaging>=23",
        "onnx>=1.18",
        "onnxscript>=0.5",
        "onnxruntime>=1.20",
        "safetensors>=0.5",
        "submitit>=1.5,<2",
    ],
    "docs": ["pdoc>=15"],
}

setup(
    name="cgl_ignite",
    version=VERSION[1],
    description="Online knowledge distillation: several students trained together, one of them deployed",
    long_description=(ROOT / "README.md").read_text("utf-8"),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    license_files=["LICENSE"],
    python_requires=">=3.10",
    packages=find_packages(include=["cgl_ignite", "cgl_ignite.*"]),
    package_data={"cgl_ignite": ["py.typed", "analysis/*.toml", "page/templates/*"]},
    install_requires=REQUIREMENTS,
    extras_require=EXTRAS,
    entry_points={"console_scripts": ["cgl = cgl_ignite.cli.main:cgl"]},
    project_urls={"Paper": "https://arxiv.org/abs/2009.07712"},
    classifiers=[
        "Development Status :: 4 - Beta",
        "Environment :: Console",
        "Intended Audience :: Developers",
        "Intended Audience :: Science/Research",
        "Programming Language :: Python :: 3 :: Only",
        "Programming Language :: Python :: 3.10",
        "Programming Language :: Python :: 3.11",
        "Programming Language :: Python :: 3.12",
        "Programming Language :: Python :: 3.13",
        "Topic :: Scientific/Engineering :: Artificial Intelligence",
        "Typing :: Typed",
    ],
)
