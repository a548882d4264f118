"""`make images` pins every image by the digest of its tag, and `make audit` looks at all that is installed."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FILES = ("Makefile", "Dockerfile", "compose.yaml")
LOCKS = ("requirements.lock", "requirements-embedded.lock")
IMAGE = re.compile(r"^(?:FROM|\s*image:) (\S+)", re.MULTILINE)


def pinned(folder: Path, digest: str) -> list[str]:
    """The images that `make images` leaves behind where docker knows `digest` for all tags."""
    docker = folder / "docker"
    docker.write_text(f"#!/bin/sh\necho sha256:{digest}\n")
    docker.chmod(0o755)
    make = shutil.which("make")
    assert make
    environment = os.environ | {"PATH": f"{folder}:{os.environ['PATH']}"}
    subprocess.run([make, "images"], cwd=folder, env=environment, check=True, capture_output=True)  # noqa: S603  # our own Makefile
    return [image for name in FILES[1:] for image in IMAGE.findall((folder / name).read_text())]


def test_images_are_pinned_and_renewed(tmp_path: Path) -> None:
    """Each image gets a digest, and a new one in its place the next time."""
    for name in FILES:
        shutil.copy(ROOT / name, tmp_path)
    for digest in ("a" * 64, "b" * 64):
        images = pinned(tmp_path, digest)
        assert len(images) == 3
        assert all(re.fullmatch(rf"[a-z/]+:[\w.-]+@sha256:{digest}", image) for image in images)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([*FILES, "docker"])


def test_no_image_lacks_a_digest() -> None:
    """A tag alone is another image tomorrow."""
    images = [image for name in FILES[1:] for image in IMAGE.findall((ROOT / name).read_text())]
    assert len(images) == 3
    assert all(re.search(r"@sha256:[0-9a-f]{64}$", image) for image in images)


def program(folder: Path, name: str, script: str) -> None:
    """A program in place of one that `make audit` installs."""
    file = folder / ".venv-audit" / "bin" / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(f"#!/bin/sh\n{script}\n")
    file.chmod(0o755)


@pytest.mark.parametrize("fails", [None, "cyclonedx-py", "pip-audit", "hadolint"])
def test_an_audit_reads_what_is_installed(tmp_path: Path, fails: str | None) -> None:
    """Both lock files are in the list of parts and looked up; what any of the tools finds is a failure."""
    for name in ("Makefile", "Dockerfile", *LOCKS):
        shutil.copy(ROOT / name, tmp_path)
    program(tmp_path, "cyclonedx-py", 'cat > read; echo \'"bom-ref": "requirements-L1"\' > sbom.json')
    program(tmp_path, "pip-audit", 'echo "$@" > asked')
    program(tmp_path, "hadolint", 'test -e "$1"')
    if fails:
        program(tmp_path, fails, "exit 1")
    (tmp_path / ".venv-audit" / ".made").touch()
    make = shutil.which("make")
    assert make
    done = subprocess.run([make, "audit"], cwd=tmp_path, check=False, capture_output=True, text=True)  # noqa: S603  # our own Makefile
    assert (done.returncode != 0) is bool(fails), done
    if fails is None:
        assert (tmp_path / "read").read_text() == "".join((ROOT / name).read_text() for name in LOCKS)
        assert (tmp_path / "asked").read_text().split("-r ")[1:] == [f"{LOCKS[0]} ", f"{LOCKS[1]}\n"]
        assert "sbom.json names 1 components." in done.stdout
