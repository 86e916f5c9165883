# SPDX-License-Identifier: Apache-2.0
"""What the server tells any RPC client of itself: health, reflection, .proto files, OpenAPI."""
import json

import grpc
import pytest

from harness import Server, own_port
from test_first_start import USAGE, refused_start

HEALTH = "grpc.health.v1.Health"
REFLECTION = ["grpc.reflection.v1.ServerReflection", "grpc.reflection.v1alpha.ServerReflection"]
LIST_SERVICES = b"\x3a\x00"  # list_services: ""


def names_in(answer):
    """The services of a ServerReflectionResponse, by hand: no generated code is at hand here."""
    return [name for name in [HEALTH, *REFLECTION] if name.encode() in answer]


def reflect(port, version, request):
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        ask = channel.stream_stream(f"/{version}/ServerReflectionInfo")
        return list(ask(iter([request]), timeout=30))


def check(port, service):
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        ask = channel.unary_unary(f"/{HEALTH}/Check")
        return ask(b"\x0a" + bytes([len(service)]) + service.encode(), timeout=30)


@pytest.mark.parametrize("version", REFLECTION)
def test_reflection_lists_what_can_be_resolved(shared, version):
    answer, = reflect(shared.port(), version, LIST_SERVICES)
    assert names_in(answer) == [HEALTH]
    by_symbol = b"\x22" + bytes([len(HEALTH)]) + HEALTH.encode()
    answer, = reflect(shared.port(), version, by_symbol)
    assert b"HealthCheckRequest" in answer


def test_health_knows_the_server_and_its_services(shared):
    assert check(shared.port(), "") == b"\x08\x01"
    assert check(shared.port(), HEALTH) == b"\x08\x01"
    with pytest.raises(grpc.RpcError) as refused:
        check(shared.port(), "no.Such")
    assert refused.value.code() == grpc.StatusCode.NOT_FOUND


def test_a_listener_may_list_services_of_its_own(tmp_path):
    port = own_port()
    with Server(tmp_path, "--reflection-services", f"{port}={HEALTH},{REFLECTION[0]}",
                listen=(f"127.0.0.1:{port}", "127.0.0.1:0")) as server:
        plain = next(p for p in (int(u.rstrip("/").rpartition(":")[2]) for u in server.endpoints)
                     if p != port)
        assert names_in(reflect(port, REFLECTION[1], LIST_SERVICES)[0]) == [HEALTH]
        assert names_in(reflect(plain, REFLECTION[1], LIST_SERVICES)[0]) == [REFLECTION[0]]


def test_a_service_that_is_not_there_cannot_be_listed(tmp_path):
    code, said = refused_start(tmp_path, "--reflection-services", "no.Such")
    assert code == USAGE and "no.Such" in said


def test_protos_and_openapi_are_open(shared):
    listed = shared.request("GET", "/protos", token=None).body.decode().split()
    assert "grpc/health/v1/health.proto" in listed
    text = shared.request("GET", "/protos/grpc/health/v1/health.proto", token=None).body.decode()
    assert "service Health" in text
    assert shared.request("GET", "/protos/no/such.proto", token=None).status == 404
    document = json.loads(shared.request("GET", "/openapi.json", token=None).body)
    assert document["openapi"].startswith("3.")


FLEET = ["collector.v1.CollectorService", "pipeline.v1.PipelineService", "tenant.v1.TenantService",
         "muster.v1.FleetService"]


@pytest.mark.parametrize("service", FLEET)
def test_the_fleets_services_are_told_of_everywhere(shared, service):
    answer, = reflect(shared.port(), REFLECTION[0], LIST_SERVICES)
    assert service.encode() in answer
    answer, = reflect(shared.port(), REFLECTION[1], b"\x22" + bytes([len(service)])
                      + service.encode())
    assert service.rpartition(".")[2].encode() in answer
    assert check(shared.port(), service) == b"\x08\x01"
    package, _, _ = service.rpartition(".")
    listed = shared.request("GET", "/protos", token=None).body.decode().split()
    files = [f for f in listed if f.startswith(package.replace(".", "/") + "/")]
    assert files
    texts = [shared.request("GET", "/protos/" + f, token=None).body.decode() for f in files]
    assert any(f"service {service.rpartition('.')[2]} " in t for t in texts)


def test_what_is_only_stored_is_not_told(shared):
    """The store's own messages are nobody's interface."""
    answer, = reflect(shared.port(), REFLECTION[0], LIST_SERVICES)
    assert b"muster.store" not in answer
