"CITATION.cff says what the package says of itself, and nothing is cited without an author"
from configparser import ConfigParser
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parent.parent
CFF = yaml.safe_load((ROOT/"CITATION.cff").read_text(encoding="utf-8"))


def test_same_package():
    ini = ConfigParser(interpolation=None, delimiters=["="])
    ini.read(ROOT/"settings.ini", encoding="utf-8")
    of = ini["DEFAULT"]
    assert CFF["cff-version"] == "1.2.0" and CFF["message"] and CFF["authors"] == [dict(name=of["author"])]
    assert (str(CFF["version"]), CFF["title"], CFF["abstract"], CFF["repository-code"]) == (of["version"], of["lib_name"], of["description"], of["git_url"])
    assert CFF["keywords"] == of["keywords"].split()


def test_papers():
    short = [r["abbreviation"] for r in CFF["references"]]
    assert len(set(short)) == len(short) and {"TMF", "MMSR", "CCF-LLM"} <= set(short)
    for r in CFF["references"]:
        assert r["title"] and r["authors"] and all(set(a) <= {"given-names", "family-names", "name", "alias"} and all(a.values()) for a in r["authors"]), r["abbreviation"]
        assert "identifiers" not in r or r["url"] == "https://arxiv.org/abs/" + r["identifiers"][0]["value"].removeprefix("arXiv:"), r["abbreviation"]
