"Packages tmf_nb from settings.ini, where nbdev keeps the project's facts"
from configparser import ConfigParser
from pathlib import Path
from setuptools import find_packages, setup

here = Path(__file__).parent
ini = ConfigParser(delimiters=["="], interpolation=None)
ini.read(here/"settings.ini", encoding="utf-8")
cfg = ini["DEFAULT"]

setup(
    name=cfg["lib_name"], version=cfg["version"], description=cfg["description"], author=cfg["author"], author_email=cfg["author_email"],
    license="Apache-2.0", url=cfg["git_url"], keywords=cfg["keywords"], packages=find_packages(include=[cfg["lib_name"], cfg["lib_name"]+".*"]),
    python_requires=">="+cfg["min_python"], install_requires=cfg["requirements"].split(), extras_require=dict(dev=cfg["dev_requirements"].split()),
    entry_points=dict(console_scripts=cfg["console_scripts"].split("\n"), nbdev=[f"{cfg['lib_name']}={cfg['lib_name']}._modidx:d"]),
    long_description=(here/"README.md").read_text(encoding="utf-8") if (here/"README.md").exists() else "", long_description_content_type="text/markdown",
)
