"""Read settings.ini, the one written source of name, version and requirements."""
from configparser import ConfigParser
from pathlib import Path

from setuptools import find_packages, setup

parser = ConfigParser(delimiters=["="])
parser.read(Path(__file__).with_name("settings.ini"), encoding="utf-8")
settings = parser["DEFAULT"]
extras = ("local", "forms", "databricks", "dev")

setup(
    version=settings["version"],
    description=settings["description"],
    install_requires=settings["requirements"].split(),
    extras_require={name: settings[f"{name}_requirements"].split() for name in extras},
    # The step notebooks ship inside the package; a checkout reads them where they are written, in nbs/steps.
    packages=[*find_packages(include=["datamaster_kit", "datamaster_kit.*"]), "datamaster_kit.steps"],
    package_dir={"datamaster_kit.steps": "nbs/steps"},
    package_data={"datamaster_kit": ["py.typed"], "datamaster_kit.steps": ["*.ipynb"]},
    entry_points={"console_scripts": settings["console_scripts"].split()},
)
