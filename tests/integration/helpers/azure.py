# SPDX-License-Identifier: MIT
"""A real Azure Blob service to upload to, seen by others than the code under test."""

import base64
import datetime
import hashlib
import hmac
import os
import urllib.parse
import urllib.request

from . import stores, trees


class Azure:
    """An account and its keys; containers are new for each test."""

    def __init__(self, server):
        self.account = server.env["AZURE_STORAGE_ACCOUNT"]
        self.key = server.env["AZURE_STORAGE_KEY"]
        self.endpoint = server.env["AZURE_ENDPOINT"]
        self.env = {
            "AZURE_STORAGE_ACCOUNT": self.account,
            "AZURE_STORAGE_KEY": self.key,
            "BLOB_SENDER_ENDPOINT_URL": self.endpoint,
        }
        self.sas = self.token()

    def sign(self, lines):
        key = base64.b64decode(self.key)
        mac = hmac.new(key, "\n".join(lines).encode(), hashlib.sha256)
        return base64.b64encode(mac.digest()).decode()

    def token(self):
        """An account SAS, good for everything."""
        fields = {"sp": "rwdlac", "ss": "b", "srt": "sco", **terms()}
        lines = [
            self.account,
            fields["sp"],
            fields["ss"],
            fields["srt"],
            "",
            fields["se"],
        ]
        fields["sig"] = self.sign(lines + ["", "", fields["sv"], ""])
        return urllib.parse.urlencode(fields)

    def token_for(self, container):
        """A service SAS: good for the blobs in one container, not for itself."""
        fields = {"sp": "rcwl", "sr": "c", **terms()}
        lines = [fields["sp"], "", fields["se"], f"/blob/{self.account}/{container}"]
        lines += ["", "", "", fields["sv"], fields["sr"]] + 6 * [""]
        fields["sig"] = self.sign(lines)
        return urllib.parse.urlencode(fields)

    def with_token(self, token):
        """The environment of one who has a token and no key."""
        env = {name: self.env[name] for name in self.env if name != "AZURE_STORAGE_KEY"}
        return env | {"AZURE_STORAGE_SAS_TOKEN": token}

    def through(self, between):
        """The environment of one who goes through a proxy."""
        return self.env | {"BLOB_SENDER_ENDPOINT_URL": between.url}

    def new_container(self):
        return f"container-{os.getpid()}-{next(stores.numbers)}"

    def make_container(self, access=None):
        container = self.new_container()
        headers = {"x-ms-blob-public-access": access} if access else {}
        self.call("PUT", f"{container}?restype=container", headers)
        return container

    def call(self, method, target, headers=None, body=None):
        """The headers of the answer."""
        url = f"{self.endpoint}/{target}{'&' if '?' in target else '?'}{self.sas}"
        request = urllib.request.Request(
            url, data=body, method=method, headers=headers or {}
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.headers

    def rclone(self, *arguments, check=True):
        settings = {"TYPE": "azureblob", "SAS_URL": f"{self.endpoint}?{self.sas}"}
        return stores.run_rclone(settings, *arguments, check=check)

    def assert_whole(self, container, prefix, tree, workspace):
        """What rclone restores has the tree's bytes and times."""
        target = workspace / "restored"
        self.rclone("copy", f"x:{container}/{prefix}", target)
        described = [
            {path: (digest, mtime) for path, (digest, _, mtime) in found.items()}
            for found in (trees.describe(target), trees.describe(tree))
        ]
        assert described[0] == described[1]


def terms():
    end = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(hours=2)
    return {"se": end.strftime("%Y-%m-%dT%H:%M:%SZ"), "sv": "2019-12-12"}
