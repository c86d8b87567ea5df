"""The package's logger: loaded by the first line, and then the standard one."""

from __future__ import annotations

import logging
import subprocess
import sys

import pytest

from iexec_lite.log import log


def test_it_is_the_logger_of_that_name(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "iexec_lite")
    log.info("one %s", "line")
    log.debug("not this")
    assert caplog.record_tuples == [("iexec_lite", logging.INFO, "one line")]
    assert log.name == "iexec_lite"
    assert log.level == logging.INFO


def test_methods_are_asked_for_once_and_values_each_time() -> None:
    logger = logging.getLogger("iexec_lite")
    assert log.warning is log.warning  # the standard one makes a bound method each time
    assert "warning" in vars(log)
    before = logger.level
    try:
        for level in (logging.ERROR, logging.DEBUG):
            logger.setLevel(level)
            assert log.level == level
    finally:
        logger.setLevel(before)


def test_logging_is_loaded_by_the_first_line() -> None:
    code = (
        "import sys; from iexec_lite.log import log; print('logging' in sys.modules); "
        "log.debug(''); print('logging' in sys.modules)"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.split() == ["False", "True"]
