"""
Check the specs beside this file by our rules: what they have to say, and what the generated code and the SDK can carry.

    python specs/rules.py    say in a sentence where each rule is broken and what to write there; exit 1 if one is
"""

import argparse
import sys
from pathlib import Path

import carrying
import saying
from document import Json, load
from generate import PACKAGES

HERE = Path(__file__).resolve().parent
RULES = [*saying.RULES, *carrying.RULES]


def main() -> int:
    """Run the command that this module's docstring describes; return its exit code."""
    parser = argparse.ArgumentParser(description="Check the specs by our rules.")
    parser.add_argument("--specs", type=Path, default=HERE, help="the folder of the specs (default: this script's)")
    folder = parser.parse_args().specs
    sentences = [sentence for name in PACKAGES for sentence in broken(name, load(folder / name))]
    for sentence in sentences:
        print(sentence)
    return 1 if sentences else 0


def broken(name: str, spec: Json) -> list[str]:
    """Return a sentence for each place at which *spec*, the file *name*, breaks a rule."""
    return [f"specs/{name}: {where}: {what}." for rule in RULES for where, what in rule(spec)]


if __name__ == "__main__":
    sys.exit(main())
