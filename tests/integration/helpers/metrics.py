# SPDX-License-Identifier: MIT
"""What a program tells Prometheus, as numbers."""

import re
import subprocess
import urllib.request

from .tools import need

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


def scrape(url):
    """{'name{labels}': value} of all samples."""
    return parse(text_of(url))


def text_of(url):
    with urllib.request.urlopen(f"{url}/metrics", timeout=30) as answer:
        assert answer.status == 200
        assert answer.headers["Content-Type"] == CONTENT_TYPE
        return answer.read().decode()


def parse(text):
    samples = {}
    for line in text.splitlines():
        if line.startswith("#"):
            continue
        name, value = re.fullmatch(r"([a-z_]+(?:\{.*\})?) (\S+)", line).groups()
        assert name not in samples, f"{name} twice"
        samples[name] = float(value)
    return samples


def total(samples, family):
    """The sum of all samples of a family, whatever their labels."""
    return sum(v for k, v in samples.items() if k.partition("{")[0] == family)


def assert_histogram_is_sound(samples, family):
    buckets = [v for k, v in samples.items() if k.startswith(family + "_bucket{")]
    assert len(buckets) > 10
    assert buckets == sorted(buckets)
    assert buckets[-1] == samples[family + "_count"]
    assert samples[family + "_sum"] >= 0


def check_with_promtool(text):
    need("promtool")
    result = subprocess.run(
        ["promtool", "check", "metrics"], input=text, capture_output=True, text=True
    )
    assert result.returncode == 0, result.stdout + result.stderr
    assert result.stdout + result.stderr == ""
