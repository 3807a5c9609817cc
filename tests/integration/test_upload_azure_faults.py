# SPDX-License-Identifier: MIT
"""blob-sender upload to Azure when requests, answers and bodies go astray."""

import base64
import hashlib
import os

import pytest

from helpers import trees
from helpers.forwarder import LOSE, forwarding

MIB = 1 << 20
IN_BLOCKS = ("--multipart-threshold=6MiB", "--part-size=5MiB")
REFUSED = "x-ms-error-code"

BODIES = {  # size of a file -> how it travels
    "from memory": 1000,
    "from the file": 2 * MIB,
    "in blocks": 12 * MIB,
}
each_way = pytest.mark.parametrize("size", BODIES.values(), ids=BODIES.keys())


@pytest.fixture
def tree(workspace):
    root = workspace / "tree"
    root.mkdir()
    return root


def once(condition, act):
    """What `act` says of the first request that is so."""
    left = [act]

    def meddle(request):
        return left.pop()(request) if left and condition(request) else None

    return meddle


def has_content(request):
    return "x-ms-blob-type" in request.headers or request.query.get("comp") == "block"


def is_commit(request):
    return request.method == "PUT" and request.query.get("comp") == "blocklist"


def is_creation(request):
    return request.method == "PUT" and request.query.get("restype") == "container"


def lose(_):
    return LOSE


# ---- bodies ----


def test_every_body_goes_with_its_md5(azure, upload, tree):
    for size in (0, *BODIES.values()):
        trees.write(tree / str(size), os.urandom(size))
    trees.settle()
    place = f"az://{azure.new_container()}"

    with forwarding(azure.endpoint) as between:
        done = upload(tree, place, *IN_BLOCKS, env=azure.through(between))

    assert done.code == 0
    sent = [seen for seen in between.of("PUT") if not is_creation(seen)]
    assert len(sent) == 3 + 3 + 1
    for request in sent:
        md5 = base64.b64encode(hashlib.md5(request.body).digest()).decode()
        assert request.headers["Content-MD5"] == md5


@each_way
def test_a_body_damaged_on_its_way_is_refused_and_sent_again(
    azure, upload, tree, workspace, size
):
    trees.write(tree / "f", os.urandom(size))
    trees.settle()
    container = azure.new_container()

    def damage(request):
        middle = len(request.body) // 2
        changed = bytes([request.body[middle] ^ 1])
        request.body = request.body[:middle] + changed + request.body[middle + 1 :]

    with forwarding(azure.endpoint, once(has_content, damage)) as between:
        done = upload(tree, f"az://{container}", *IN_BLOCKS, env=azure.through(between))

    assert done.code == 0
    assert [seen.answered for seen in between.seen if has_content(seen)].count(400) == 1
    assert (done.summary["retries"], done.summary["changed"]) == (1, 0)
    azure.assert_whole(container, "", tree, workspace)


@pytest.mark.parametrize("which", [has_content, is_commit])
def test_the_service_s_own_word_for_damage_is_understood(
    azure, upload, tree, workspace, which
):
    trees.write(tree / "f", os.urandom(BODIES["in blocks"]))
    trees.settle()
    container = azure.new_container()
    refusal = (400, {REFUSED: "Md5Mismatch"})

    with forwarding(azure.endpoint, once(which, lambda request: refusal)) as between:
        done = upload(tree, f"az://{container}", *IN_BLOCKS, env=azure.through(between))

    assert done.code == 0
    assert (done.summary["retries"], done.summary["changed"]) == (1, 0)
    azure.assert_whole(container, "", tree, workspace)


@pytest.mark.parametrize("size", [16 * MIB, 20 * MIB], ids=["whole", "in blocks"])
def test_a_file_that_changes_while_it_is_sent_is_never_stored_torn(
    azure, upload, tree, workspace, size
):
    path = trees.write(tree / "f", b"\1" * size)
    trees.settle()
    container = azure.new_container()
    state = []

    def change(request):
        """When the file was hashed, and part of it may be on its way."""
        if has_content(request) and not state:
            state.append("changed")
            trees.write(path, b"\2" * size)
            trees.settle()

    def look(request):
        if has_content(request):
            state.append(set(request.body))

    with forwarding(azure.endpoint, look, change) as between:
        done = upload(
            tree,
            f"az://{container}",
            "--multipart-threshold=16MiB",
            "--part-size=5MiB",
            "--jobs=1",
            env=azure.through(between),
        )

    assert done.code == 0
    assert {1} != state[1]  # it did change on its way
    azure.assert_whole(container, "", tree, workspace)


# ---- answers ----


def test_a_commit_whose_answer_is_lost_has_done_its_work(
    azure, upload, tree, workspace
):
    trees.write(tree / "f", os.urandom(12 * MIB))
    trees.settle()
    container = azure.new_container()

    with forwarding(azure.endpoint, once(is_commit, lose)) as between:
        done = upload(tree, f"az://{container}", *IN_BLOCKS, env=azure.through(between))

    assert done.code == 0
    assert [seen.answered for seen in between.seen if is_commit(seen)] == [201, 400]
    assert len(between.of("PUT", comp="block")) == 3
    azure.assert_whole(container, "", tree, workspace)


@pytest.mark.parametrize("older", [None, b"other"], ids=["nothing", "another blob"])
def test_blocks_that_are_gone_are_sent_again(azure, upload, tree, workspace, older):
    trees.write(tree / "f", os.urandom(12 * MIB))
    trees.settle()
    container = azure.make_container()
    if older:
        headers = {"x-ms-blob-type": "BlockBlob"}
        azure.call("PUT", f"{container}/f", headers, older)
    gone = (400, {REFUSED: "InvalidBlockList"})

    with forwarding(azure.endpoint, once(is_commit, lambda request: gone)) as between:
        done = upload(tree, f"az://{container}", *IN_BLOCKS, env=azure.through(between))

    assert done.code == 0
    assert len(between.of("PUT", comp="block")) == 6
    azure.assert_whole(container, "", tree, workspace)


def test_a_token_that_ends_amid_a_file_leaves_its_blocks_to_the_next_run(
    azure, upload, tree, workspace
):
    trees.write(tree / "f", os.urandom(12 * MIB))
    trees.settle()
    container = azure.new_container()
    place, options = f"az://{container}", (*IN_BLOCKS, "--jobs=1")
    left = [None, *3 * [(403, {REFUSED: "AuthenticationFailed"})]]

    def expire(request):
        return left.pop(0) if left and has_content(request) else None

    with forwarding(azure.endpoint, expire) as between:
        first = upload(tree, place, *options, env=azure.through(between))
        refused = len(between.of("PUT", comp="block")) - 1
        left.clear()
        again = upload(tree, place, *options, env=azure.through(between))

    assert refused == 1
    assert first.code == 1
    assert "AuthenticationFailed" in first.reason
    assert (again.code, again.summary["resumed_parts"]) == (0, 1)
    azure.assert_whole(container, "", tree, workspace)


# ---- the container ----


@pytest.mark.parametrize("access", ["container", "blob"])
@pytest.mark.parametrize("credential", ["key", "token", "token for blobs"])
def test_a_container_open_to_the_public_gets_nothing(
    azure, upload, tree, access, credential
):
    trees.write(tree / "f", b"1")
    trees.settle()
    container = azure.make_container(access)
    env = {
        "key": azure.env,
        "token": azure.with_token(azure.sas),
        "token for blobs": azure.with_token(azure.token_for(container)),
    }[credential]

    done = upload(tree, f"az://{container}", env=env)
    listed = azure.rclone("lsf", f"x:{container}")
    allowed = upload(tree, f"az://{container}", "--allow-public", env=env)

    assert done.code == 1
    assert "open to the public" in done.reason
    assert listed == ""
    assert allowed.code == 0


def test_a_token_for_blobs_finds_a_private_container_private(
    azure, upload, tree, workspace
):
    trees.write(tree / "f", b"1")
    trees.settle()
    container = azure.make_container()

    done = upload(
        tree, f"az://{container}", env=azure.with_token(azure.token_for(container))
    )

    assert done.code == 0
    azure.assert_whole(container, "", tree, workspace)


def is_stranger(request):
    return "Authorization" not in request.headers


@pytest.mark.parametrize(
    "status, word, code",
    [
        (401, "NoAuthenticationInformation", 0),
        (404, "ResourceNotFound", 0),
        (409, "PublicAccessNotPermitted", 0),
        (404, "BlobNotFound", 1),
        (404, "", 1),
        (302, "", 1),
        (500, "InternalError", 1),
    ],
)
def test_only_who_shows_a_stranger_nothing_is_private(
    azure, upload, tree, status, word, code
):
    trees.write(tree / "f", b"1")
    trees.settle()
    answer = (status, {REFUSED: word} if word else {})

    def say(request):
        return answer if is_stranger(request) else None

    with forwarding(azure.endpoint, say) as between:
        done = upload(
            tree,
            f"az://{azure.new_container()}",
            "--max-attempts=1",
            env=azure.through(between),
        )

    assert done.code == code
    assert ("open to the public" in done.reason) == bool(code)
    assert any(has_content(seen) for seen in between.seen) != bool(code)


@pytest.mark.parametrize("access, code", [(None, 0), ("blob", 1)])
def test_a_container_made_by_someone_else_just_now_will_do(
    azure, upload, tree, access, code
):
    trees.write(tree / "f", b"1")
    trees.settle()
    container = azure.new_container()

    def hurry(request):
        headers = {"x-ms-blob-public-access": access} if access else {}
        azure.call("PUT", f"{container}?restype=container", headers)

    with forwarding(azure.endpoint, once(is_creation, hurry)) as between:
        done = upload(tree, f"az://{container}", env=azure.through(between))

    assert [seen.answered for seen in between.seen if is_creation(seen)] == [409]
    assert done.code == code
    assert ("open to the public" in done.reason) == bool(code)


def test_a_creation_whose_answer_is_lost_has_done_its_work(azure, upload, tree):
    trees.write(tree / "f", b"1")
    trees.settle()

    with forwarding(azure.endpoint, once(is_creation, lose)) as between:
        done = upload(tree, f"az://{azure.new_container()}", env=azure.through(between))

    assert done.code == 0
    assert [seen.answered for seen in between.seen if is_creation(seen)] == [201, 409]


def test_a_name_whose_container_is_being_deleted_is_waited_for(azure, upload, tree):
    trees.write(tree / "f", b"1")
    trees.settle()
    deleting = (409, {REFUSED: "ContainerBeingDeleted", "Retry-After": "1"})

    with forwarding(
        azure.endpoint, once(is_creation, lambda request: deleting)
    ) as between:
        done = upload(tree, f"az://{azure.new_container()}", env=azure.through(between))

    assert done.code == 0
    assert done.summary["retries"] == 1
