"""Beam's runners and options are checked by name, before anything is touched."""

import pytest

from kgmill.pipelines.engine.runners import check_runner
from kgmill.schemas.errors import ConfigError


def refusal(runner, *options):
    with pytest.raises(ConfigError) as caught:
        check_runner(runner, options)
    return str(caught.value)


@pytest.mark.parametrize(
    ("runner", "reason"),
    [
        ("DirectRunner", "it may try to download a runner; the local runner here is FnApiRunner"),
        ("direct", "it may try to download a runner; the local runner here is FnApiRunner"),
        ("DaskRunner", "it loses data silently"),
        ("dask", "it loses data silently"),
        ("apache_beam.runners.dask.dask_runner.DaskRunner", "it loses data silently"),
    ],
)
def test_dangerous_runner_is_refused(runner, reason):
    """Runners that lose data or reach for the network are refused with the reason, however they are written."""
    assert refusal(runner) == f"runner {runner}: refused, because {reason}"


@pytest.mark.parametrize("runner", ["FnApiRunner", "fnapi", "FlinkRunner", "flink", "SparkRunner", "PrismRunner"])
def test_other_runners_are_let_through(runner):
    """Beam has them, in its own ways of writing."""
    assert check_runner(runner) is None


@pytest.mark.parametrize(
    ("runner", "message"),
    [
        ("FlinkRuner", "Beam has no such runner; did you mean FlinkRunner?"),
        (
            "spork",
            "Beam has no such runner; it has BundleBasedDirectRunner, DataflowRunner, FlinkRunner, FnApiRunner, ",
        ),
        ("no.such.module.Runner", "not installed here: No module named 'no'"),
        ("apache_beam.runners.portability.flink_runner.Flink", "not installed here: module "),
    ],
)
def test_misspelt_runner_is_refused(runner, message):
    """A runner that Beam doesn't have, with the one that was meant."""
    assert refusal(runner).startswith(f"runner {runner}: {message}")


@pytest.mark.parametrize(
    ("runner", "options", "message"),
    [
        (
            "FnApiRunner",
            ["--no_such_option=1"],
            "unknown Beam option --no_such_option=1; Beam and this runner have none",
        ),
        (
            "FnApiRunner",
            ["--direct_num_worker", "2"],
            "unknown Beam option --direct_num_worker; did you mean --direct_n",
        ),
        ("FlinkRunner", ["--paralelism=4"], "unknown Beam option --paralelism=4; did you mean --parallelism?"),
        ("FlinkRunner", ["--parallelism=4", "8"], "unknown Beam option 8; Beam and this runner have none of that name"),
        ("FlinkRunner", ["--parallelism=many"], "Beam options: argument --parallelism: invalid int value: 'many'"),
        ("FnApiRunner", ["--runner=FlinkRunner"], "Beam option --runner: name the runner before the --"),
        (
            "FnApiRunner",
            ["--direct_running_mode=multi_processing"],
            "Beam option --direct_running_mode: multi_processing",
        ),
    ],
)
def test_unknown_beam_option_is_refused(runner, options, message):
    """An option, a word or a value that Beam would pass over or stumble on."""
    assert refusal(runner, *options).startswith(message)


@pytest.mark.parametrize(
    ("runner", "options"),
    [
        ("FnApiRunner", ["--direct_num_workers=2"]),
        ("FlinkRunner", ["--flink_master=127.0.0.1:8081", "--parallelism", "4", "--environment_type=LOOPBACK"]),
        ("SparkRunner", ["--spark_master_url=local[2]"]),
        ("PortableRunner", ["--job_endpoint=127.0.0.1:8099"]),
    ],
)
def test_options_that_beam_knows_are_let_through(runner, options):
    """Options of Beam and of the runner, in both ways of writing."""
    assert check_runner(runner, options) is None
