# SPDX-License-Identifier: Apache-2.0
"""Three lines by Python's logging and a handler for the URL of a source, given by SUMO_DOOR; run by
test_sumo_loggers.py."""
import os

from sumo_logger import setup_sumo_logger

log = setup_sumo_logger(os.environ["SUMO_DOOR"], "app")
log.debug("not sent")
log.info("first")
log.warning("second %s", "\u00e9")
log.error("third")
