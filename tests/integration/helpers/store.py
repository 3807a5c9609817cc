# SPDX-License-Identifier: MIT
"""The blobs of a receiver's store or a sender's spool, looked at from outside."""

import hashlib
import os
import pathlib
import threading

DIGEST = "user.blob.sha256"
TYPE = "user.blob.type"
REASON = "user.blob.reason"


def attribute(path, name):
    try:
        return os.getxattr(path, name).decode()
    except OSError:
        return None


def files(directory):
    """Every regular file below directory."""
    found = []
    for parent, _, names in os.walk(directory):
        found += [pathlib.Path(parent, name) for name in names]
    return sorted(found)


def blobs(directory):
    """{id: path} of every blob below directory; fails when an id is stored twice."""
    found = {}
    for path in files(directory):
        if path.suffix == ".bin":
            assert path.stem not in found, f"{path.stem} is stored twice"
            found[path.stem] = path
    return found


def digest(path):
    """What `sha256sum` would print."""
    hasher = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            hasher.update(block)
    return hasher.hexdigest()


def damaged(directory):
    """Ids of blobs whose bytes disagree with the digest they carry."""
    return [
        blob_id
        for blob_id, path in blobs(directory).items()
        if digest(path) != attribute(path, DIGEST)
    ]


def assert_empty(directory):
    left = [
        path
        for path in files(directory)
        if path.suffix == ".bin" or path.name.startswith(".incoming")
    ]
    assert left == [], f"left in the store: {left}"


class Watcher:
    """Looks at directories over and over: a blob that shows must be whole at once."""

    def __init__(self, *directories):
        self.directories = directories
        self.partial = []
        self.seen = set()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        self._thread.join()

    def _run(self):
        while not self._stop.wait(0.02):
            for directory in self.directories:
                self._scan(directory)

    def _scan(self, directory):
        for path in files(directory):
            if path.suffix != ".bin" or path in self.seen:
                continue
            try:
                named = os.getxattr(path, DIGEST).decode()
                whole = digest(path) == named
            except FileNotFoundError:  # delivered meanwhile
                continue
            except OSError:
                whole = False
            if not whole:
                self.partial.append(path)
            self.seen.add(path)
