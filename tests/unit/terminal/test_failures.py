"""What is told when a job failed beyond what the job itself says."""

import os
import shlex
import subprocess
import time

from solverproof.terminal.failures import dated_ahead


def test_the_command_follows_a_link_in_the_place_of_the_results(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    results = tmp_path / "results"
    results.symlink_to(tmp_path / "elsewhere")
    ahead = results / "ahead"
    ahead.touch()
    os.utime(ahead, (time.time() + 1e8,) * 2)
    (told,) = dated_ahead(results, [ahead])
    subprocess.run(shlex.split(told.partition("type: ")[2]), check=True)
    assert dated_ahead(results, [ahead]) == []


def test_files_of_a_time_yet_to_come_are_told_with_a_command_that_mends_it(tmp_path):
    results = tmp_path / "my results"
    results.mkdir()
    past, ahead, gone = (results / name for name in ("past", "ahead", "gone"))
    for file in (past, ahead):
        file.touch()
    os.utime(past, (1e9, 1e9))
    assert dated_ahead(results, [past, ahead, gone]) == []
    then = time.time() + 1e8
    os.utime(ahead, (then, then))
    (told,) = dated_ahead(results, [past, ahead, ahead, gone])
    assert told.startswith(f"solverproof: {ahead}: of a time yet to come")
    subprocess.run(shlex.split(told.partition("type: ")[2]), check=True)
    assert dated_ahead(results, [past, ahead]) == []
    assert past.stat().st_mtime == 1e9
