# SPDX-License-Identifier: MIT
"""Certificates for a test, made by the openssl program."""

import dataclasses
import pathlib
import subprocess

CURVE = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")


@dataclasses.dataclass
class Certificate:
    cert: pathlib.Path
    key: pathlib.Path


def openssl(*arguments):
    subprocess.run(
        ["openssl", *map(str, arguments)],
        check=True,
        capture_output=True,
        stdin=subprocess.DEVNULL,
    )


class Authority(Certificate):
    """A certificate authority of the test's own, in `directory`."""

    def __init__(self, directory, name="authority"):
        super().__init__(directory / f"{name}.pem", directory / f"{name}.key")
        self.directory = directory
        subject = ("-subj", f"/CN={name}", "-days", "30")
        openssl("req", "-x509", *CURVE, "-keyout", self.key, "-out", self.cert, *subject)

    def issue(self, name, days=30, alternatives="DNS:localhost,IP:127.0.0.1"):
        """days=-1: it expired yesterday."""
        made = Certificate(self.directory / f"{name}.pem", self.directory / f"{name}.key")
        request = made.cert.with_suffix(".csr")
        subject = ("-subj", f"/CN={name}", "-addext", f"subjectAltName={alternatives}")
        openssl("req", "-new", *CURVE, "-keyout", made.key, "-out", request, *subject)
        authority = ("-CA", self.cert, "-CAkey", self.key, "-CAcreateserial")
        copied = ("-copy_extensions", "copy", "-days", days)
        openssl("x509", "-req", "-in", request, "-out", made.cert, *authority, *copied)
        return made
