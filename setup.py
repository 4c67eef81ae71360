"""Read settings.ini, the one written source of name, version and requirements."""

from configparser import ConfigParser
from pathlib import Path

from setuptools import find_packages, setup

parser = ConfigParser(delimiters=["="])
parser.read(Path(__file__).with_name("settings.ini"), encoding="utf-8")
settings = parser["DEFAULT"]
folders = {
    "steps": "nbs/steps",
    "web": "nbs/web",
    "samples": "contracts",
    "standards": "nbs/standards",
    "infra": "infra",
    "templates": "templates",
    "workflows": ".github/workflows",
    "requirements": ".github/requirements",
}
extras = ("local", "forms", "events", "databricks", "dev")
# Step notebooks, the web page, sample contracts, Terraform's files and what new projects begin with
# ship in the package; a checkout reads them in place.
shipped = {
    "steps": ["*.ipynb"],
    "web": ["*.ipynb", "*.j2"],
    "web.static": ["*"],
    "samples": ["*.yaml"],
    "standards": ["*.json", "LICENSE", "NOTICE"],
    "infra.state": ["*.tf", ".terraform.lock.hcl"],
    "infra.entra": ["*.tf", ".terraform.lock.hcl"],
    "infra.azure": ["*.tf", ".terraform.lock.hcl"],
    "workflows": ["0*.yml", "99-quality.yml", "toolkit.yml"],
    "requirements": ["databricks.txt"],
    "templates.lakehouse": ["*.md", "*.txt", "Makefile", "gitignore"],
    "templates.lakehouse.contracts": ["*.yaml"],
    "templates.engine.contracts": ["*.yaml"],
    "templates.engine.account_engine": ["*.md", "*.toml"],
    "templates.engine.account_engine.account_engine": ["*.py"],
    "templates.engine.account_engine.tests": ["*.py"],
    "templates.project": ["*.ipynb"],
    "templates.project.definition_project": ["*.md", "*.toml"],
    "templates.project.definition_project.definition_project": ["*.py"],
    "templates.project.definition_project.tests": ["*.py"],
}
shipped_data = {f"datamaster_kit.{name}": patterns for name, patterns in shipped.items()}

setup(
    version=settings["version"],
    description=settings["description"],
    install_requires=settings["requirements"].split(),
    extras_require={name: settings[f"{name}_requirements"].split() for name in extras},
    # A folder with files in it is a package to setuptools, and is named as one; what holds folders
    # alone is none.
    packages=[*find_packages(include=["datamaster_kit", "datamaster_kit.*"]), *shipped_data],
    package_dir={f"datamaster_kit.{name}": folder for name, folder in folders.items()},
    package_data={"datamaster_kit": ["py.typed"], **shipped_data},
    entry_points={"console_scripts": settings["console_scripts"].split()},
)
