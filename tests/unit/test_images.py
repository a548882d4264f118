"""`make images`: every image that the deployment uses is pinned by the digest of its tag."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FILES = ("Makefile", "Dockerfile", "compose.yaml")
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
