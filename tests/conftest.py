# SPDX-License-Identifier: Apache-2.0
"""What the black-box tests share: certificates made once, and a server that many tests may use as
long as none of them changes how it runs."""
import pytest

from fleet.client import Fleet
from harness import Certificates, Server
from sumo.client import Sumo


@pytest.fixture(scope="session")
def certificates(tmp_path_factory):
    made = Certificates(tmp_path_factory.mktemp("tls"))
    made.server = made.sign("server")
    return made


@pytest.fixture(scope="session")
def shared(tmp_path_factory, certificates):
    """A server with a clear-text and a TLS listener, stopped and checked at the end of the run."""
    cert, key = certificates.server
    with Server(tmp_path_factory.mktemp("shared"), "--tls-cert", cert, "--tls-key", key,
                "--h2-resets", "100", "--h2-continuations", "100",
                "--rate-sumologic-key-per-minute", "0",
                "--sumologic-failed-registrations-per-minute", "0",
                listen=("127.0.0.1:0", "tls://127.0.0.1:0")) as server:
        yield server


@pytest.fixture
def server(tmp_path):
    """A server of the test's own."""
    with Server(tmp_path) as started:
        yield started


@pytest.fixture
def fleet(shared):
    """A tenant of the test's own on the shared server."""
    with Fleet(shared) as made:
        yield made


@pytest.fixture
def sumo(shared):
    """Same, as the collector management interface sees it."""
    with Sumo(shared) as made:
        yield made
