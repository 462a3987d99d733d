"""The smoke study through a scheduler and here, for the tests of schedulers."""

from types import SimpleNamespace

SMOKE = ("config/smoke.yaml",)


def smoke_study(clone, cluster, submit, folder, *options):
    """The smoke study through a cluster, in bundles of up to four cells, two at a time."""
    study = clone.copy_to(folder)
    before = len(cluster.jobs())
    bundles = ("--cores", "2", "--group-components", "short=4")
    outcome = submit(study, *bundles, *options, overlays=SMOKE).wait()
    return SimpleNamespace(study=study, outcome=outcome, jobs=cluster.jobs()[before:])


def assert_bytes_of_a_local_run(smoke, clone, folder):
    """The smoke study ended, with what it gives here."""
    assert smoke.outcome.code == 0, smoke.outcome.text
    local = clone.copy_to(folder)
    outcome = local.snakemake("--cores", "2", "tables", overlays=SMOKE)
    assert outcome.code == 0, outcome.text
    folders = ("smoke/tables", "smoke/evaluations", "smoke/data")
    assert local.contents("smoke/tables")
    assert smoke.study.contents(*folders) == local.contents(*folders)
