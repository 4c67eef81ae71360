"""Read settings.ini, the one written source of name, version and requirements."""
from configparser import ConfigParser
from pathlib import Path

from setuptools import find_packages, setup

parser = ConfigParser(delimiters=["="])
parser.read(Path(__file__).with_name("settings.ini"), encoding="utf-8")
settings = parser["DEFAULT"]
folders = {"steps": "nbs/steps", "web": "nbs/web", "infra": "infra", "templates": "templates"}
extras = ("local", "forms", "databricks", "connect", "dev")

setup(
    version=settings["version"],
    description=settings["description"],
    install_requires=settings["requirements"].split(),
    extras_require={name: settings[f"{name}_requirements"].split() for name in extras},
    # Step notebooks, the web page, Terraform's files and what new projects begin with ship in the package; a checkout reads them in place.
    packages=[*find_packages(include=["datamaster_kit", "datamaster_kit.*"]), *(f"datamaster_kit.{name}" for name in folders)],
    package_dir={f"datamaster_kit.{name}": folder for name, folder in folders.items()},
    package_data={
        "datamaster_kit": ["py.typed"],
        "datamaster_kit.steps": ["*.ipynb"],
        "datamaster_kit.web": ["*.ipynb", "*.j2", "static/*"],
        "datamaster_kit.infra": ["*/*.tf", "*/.terraform.lock.hcl"],
        "datamaster_kit.templates": ["project/*", "project/*/*", "project/*/*/*.py"],
    },
    entry_points={"console_scripts": settings["console_scripts"].split()},
)
