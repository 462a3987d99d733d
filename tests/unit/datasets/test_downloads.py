import errno
import hashlib
import re
import socket
import threading
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from solverproof.datasets import downloads
from solverproof.datasets.downloads import File, obtain
from solverproof.errors import InputError

CONTENT = np.random.default_rng(0).bytes(1_000_000)
NAME = "set/images.gz"


class Mirrors(ThreadingHTTPServer):
    """A server whose folders are mirrors of one kind of behaviour each.

    It keeps the ranges it was asked for.
    """

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Mirror)
        self.asked = []

    def __getitem__(self, behaviour):
        return f"http://127.0.0.1:{self.server_port}/{behaviour}/images.gz"


class Mirror(BaseHTTPRequestHandler):
    def do_GET(self):
        behaviour = self.path.split("/")[1]
        start = int(re.fullmatch(r"bytes=(\d+)-", self.headers["Range"])[1])
        self.server.asked.append((behaviour, start))
        getattr(self, behaviour)(start)

    def send(self, status, body, length=None):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        self.end_headers()
        self.wfile.write(body)

    def good(self, start):
        self.send(206, CONTENT[start:])

    def rangeless(self, _):
        self.send(200, CONTENT)

    def breaking(self, start):
        self.send(206, CONTENT[start : start + 400_000], length=len(CONTENT) - start)

    def rangeless_breaking(self, _):
        self.send(200, CONTENT[:400_000], length=len(CONTENT))

    def wrong(self, start):
        self.send(206, bytes(len(CONTENT) - start))

    def shorter(self, start):
        self.send(206, CONTENT[start:-1])

    def page(self, _):
        self.send(200, b"<html>Please log in</html>")

    def missing(self, _):
        self.send(404, b"")

    def rude(self, _):
        self.wfile.write(b"what?\r\n")

    def silent(self, _):
        self.server.released.wait(10)

    def log_message(self, *_):
        pass


@pytest.fixture
def mirrors():
    with Mirrors() as server:
        server.released = threading.Event()
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.released.set()
        server.shutdown()
        thread.join()


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr(downloads, "PAUSES", (0, 0, 0))
    monkeypatch.setenv("SOLVERPROOF_DATA", str(tmp_path / "raw"))
    return tmp_path / "raw"


def published(mirrors, *behaviours):
    urls = tuple(mirrors[behaviour] for behaviour in behaviours)
    return File(NAME, len(CONTENT), hashlib.sha256(CONTENT).hexdigest(), urls)


def own(content):
    return File(NAME, len(CONTENT), hashlib.sha256(content).hexdigest(), ())


def left(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def put(folder, content, suffix=""):
    path = folder / f"{NAME}{suffix}"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def complaint(file):
    with pytest.raises(InputError) as caught:
        obtain([file])
    message = str(caught.value)
    assert len(message.splitlines()) == 1
    return message


@pytest.mark.parametrize(
    "behaviours",
    [
        ["good"],
        ["rangeless"],
        ["breaking"],
        ["missing", "good"],
        ["rude", "good"],
        ["page", "good"],
        ["shorter", "good"],
        ["wrong", "good"],
        ["breaking", "rangeless"],
        ["rangeless_breaking", "good"],
        ["breaking", "wrong", "good"],
        ["page", "breaking"],
    ],
    ids=", ".join,
)
def test_a_file_arrives_whole_as_long_as_its_mirrors_can_make_up_for_each_other(
    behaviours, mirrors, folder
):
    (path,) = obtain([published(mirrors, *behaviours)])
    assert path == folder / NAME
    assert path.read_bytes() == CONTENT
    assert left(folder) == [NAME]


def test_a_download_that_breaks_off_goes_on_where_it_stopped_also_with_another_mirror(mirrors):
    obtain([published(mirrors, "breaking", "good")])
    assert mirrors.asked == [("breaking", 0), ("good", 400_000)]


def test_what_arrived_before_is_continued_by_the_next_call(mirrors, folder):
    put(folder, CONTENT[:300_000], ".part")
    obtain([published(mirrors, "good")])
    assert mirrors.asked == [("good", 300_000)]
    assert left(folder) == [NAME]


@pytest.mark.parametrize(
    "beginning", [b"<html>", bytes(len(CONTENT)), CONTENT + b"more"], ids=["page", "zeros", "more"]
)
def test_a_beginning_of_something_else_is_discarded(beginning, mirrors, folder):
    put(folder, beginning, ".part")
    (path,) = obtain([published(mirrors, "good")])
    assert path.read_bytes() == CONTENT
    assert left(folder) == [NAME]


def test_a_download_that_is_complete_but_has_no_name_yet_is_not_asked_for_again(mirrors, folder):
    put(folder, CONTENT, ".part")
    obtain([published(mirrors, "missing")])
    assert mirrors.asked == []
    assert left(folder) == [NAME]


def test_a_file_that_is_there_is_not_downloaded(mirrors, folder):
    put(folder, CONTENT)
    obtain([published(mirrors, "good")])
    assert mirrors.asked == []


def test_a_mirror_that_says_nothing_is_left_for_the_next_one(mirrors, monkeypatch):
    monkeypatch.setattr(downloads, "TIMEOUT", 0.2)
    (path,) = obtain([published(mirrors, "silent", "good")])
    assert path.read_bytes() == CONTENT


def test_two_jobs_that_want_the_same_file_download_it_once(mirrors, folder):
    wanted = published(mirrors, "good")
    threads = [threading.Thread(target=obtain, args=([wanted],)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(mirrors.asked) == 1
    assert left(folder) == [NAME]
    assert (folder / NAME).read_bytes() == CONTENT


def test_progress_is_told_in_a_few_lines(mirrors, capsys):
    obtain([published(mirrors, "good")])
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) <= 10
    assert lines[-1] == f"{NAME}: 100 % of 1.0 MB"


def test_without_a_mirror_that_delivers_all_are_named_with_why_and_what_to_do(mirrors, folder):
    message = complaint(published(mirrors, "missing", "wrong", "page", "shorter"))
    assert f"{mirrors['missing']} (HTTP Error 404: Not Found)" in message
    checksum = hashlib.sha256(bytes(len(CONTENT))).hexdigest()
    assert f"{mirrors['wrong']} (the file has the checksum {checksum}" in message
    assert f"{mirrors['page']} (offers 26 bytes, not 1000000)" in message
    assert f"{mirrors['shorter']} (offers 999999 bytes, not 1000000)" in message
    assert message.endswith("name a folder that has it by source: or SOLVERPROOF_DATA")
    assert left(folder) == []


def test_every_mirror_is_tried_again(mirrors):
    complaint(published(mirrors, "missing", "page"))
    assert [behaviour for behaviour, _ in mirrors.asked] == ["missing", "page"] * 3


def test_without_a_network_it_is_told_in_one_line(mirrors, folder):
    with socket.create_server(("127.0.0.1", 0)) as closed:
        url = f"http://127.0.0.1:{closed.getsockname()[1]}/images.gz"
    message = complaint(replace(published(mirrors), mirrors=(url,)))
    assert f"{url} (<urlopen error" in message
    assert left(folder) == []


def test_of_a_download_that_stays_broken_what_arrived_is_kept_apart(mirrors, folder):
    complaint(published(mirrors, "rangeless_breaking"))
    assert left(folder) == [f"{NAME}.part"]
    assert (folder / f"{NAME}.part").read_bytes() == CONTENT[:400_000]


@pytest.mark.parametrize(
    "content", [CONTENT[:-1], CONTENT[:-1] + b"?", b""], ids=["truncated", "corrupt", "empty"]
)
def test_a_file_that_is_not_the_published_one_is_told_with_both_checksums(content, mirrors, folder):
    path = put(folder, content)
    message = complaint(published(mirrors, "good"))
    found, expected = (hashlib.sha256(x).hexdigest() for x in (content, CONTENT))
    assert message.startswith(
        f'{folder / "set"}: found sha256: {{"images.gz": "{found}"}}, expected '
    )
    assert f'{{"images.gz": "{expected}"}}; remove broken files to download them again' in message
    assert path.read_bytes() == content
    assert mirrors.asked == []


def test_all_wrong_files_are_told_at_once_and_none_else(folder):
    names = ["a", "b", "c"]
    for name in names:
        put(folder, name.encode()).rename(folder / name)
    files = [replace(own(b"b"), path=name) for name in names]
    with pytest.raises(InputError) as caught:
        obtain(files)
    assert re.findall(r'"([abc])": ', str(caught.value)) == ["a", "c", "a", "c"]


def test_a_copy_of_the_users_own_is_taken_by_its_checksum_and_never_downloaded(folder):
    put(folder, b"mine")
    assert obtain([own(b"mine")]) == [folder / NAME]
    (folder / NAME).unlink()
    message = complaint(own(b"mine"))
    assert message.startswith(
        f"{folder / NAME}: there is no such file, and only the published one can be downloaded"
    )


def test_a_full_disk_is_told_and_leaves_only_what_can_be_continued(mirrors, folder, full_disk):
    with full_disk(500_000):
        message = complaint(published(mirrors, "good"))
    assert message.startswith(f"{folder}: File too large; fix that, or name a folder")
    assert mirrors.asked == [("good", 0)]
    assert left(folder) == [f"{NAME}.part"]
    (path,) = obtain([published(mirrors, "good")])
    assert path.read_bytes() == CONTENT


def test_a_folder_that_cannot_be_written_is_told(mirrors, folder, monkeypatch):
    def refuse(path, *_, **__):
        raise OSError(errno.EROFS, "Read-only file system", str(path))

    monkeypatch.setattr(Path, "mkdir", refuse)
    message = complaint(published(mirrors, "good"))
    assert message.startswith(
        f"{folder / 'set'}: Read-only file system; fix that, or name a folder"
    )


def test_a_folder_in_place_of_the_file_is_told(mirrors, folder):
    (folder / NAME).mkdir(parents=True)
    assert complaint(published(mirrors, "good")).startswith(f"{folder / NAME}: this is no file; ")


def test_a_file_in_place_of_the_folder_is_told(mirrors, folder):
    folder.write_bytes(b"")
    assert "Not a directory" in complaint(published(mirrors, "good"))


@pytest.mark.parametrize(
    ("variable", "expected"), [("/data", "/data"), ("", "downloads"), (None, "downloads")]
)
def test_the_environment_says_where_files_are_looked_for(variable, expected, monkeypatch):
    monkeypatch.delenv("SOLVERPROOF_DATA")
    if variable is not None:
        monkeypatch.setenv("SOLVERPROOF_DATA", variable)
    assert downloads.source() == Path(expected)
