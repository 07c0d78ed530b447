"""Deploys a release to one agent with nothing but the .proto files: a client that knows nothing of Decant's own code.

usage: foreign_client.py STUBS AGENT APP VERSION ARCHIVE PORT NODE

STUBS is a directory with the modules that protoc made from protos/decant/v1/*.proto. Prints what it does; exits with 0 when the
release serves.
"""

import hashlib
import os
import sys
import uuid

stubs, agent, app, version, archive, port, node = sys.argv[1:]
sys.path.insert(0, stubs)

import google  # noqa: E402

# Debian ships google.protobuf as a package of its own; google.rpc is among the stubs.
google.__path__ = [*google.__path__, os.path.join(stubs, "google")]

import grpc  # noqa: E402
from decant.v1 import common_pb2, host_pb2, host_pb2_grpc, instances_pb2, instances_pb2_grpc  # noqa: E402
from decant.v1 import leases_pb2, leases_pb2_grpc  # noqa: E402
from decant.v1 import operations_pb2, operations_pb2_grpc, releases_pb2, releases_pb2_grpc  # noqa: E402
from google.protobuf import duration_pb2  # noqa: E402
from google.rpc import error_details_pb2, status_pb2  # noqa: E402

channel = grpc.insecure_channel(agent)
releases = releases_pb2_grpc.ReleasesStub(channel)
instances = instances_pb2_grpc.InstancesStub(channel)
operations = operations_pb2_grpc.OperationsStub(channel)
hosts = host_pb2_grpc.HostsStub(channel)
leases = leases_pb2_grpc.LeasesStub(channel)
deployment = f"foreign-{uuid.uuid4()}"
token = 0


def operation(name):
    return common_pb2.OperationRef(id=f"{deployment}/{name}", deployment_id=deployment, fencing_token=token)


def follow(name, events):
    """Reads an operation's stream; its last event is `finished`."""
    last = None
    for event in events:
        kind = event.WhichOneof("event")
        if kind == "output":
            print(f"{name}: | {event.output.text}")
        elif kind == "message":
            print(f"{name}: {event.message}")
        last = event
    assert last.WhichOneof("event") == "finished", last
    assert last.finished.state == operations_pb2.OPERATION_STATE_SUCCEEDED, last
    print(f"{name}: done")
    return last.finished.result


def details(error):
    """The google.rpc.Status that travels in the trailers of an error."""
    for key, value in error.trailing_metadata():
        if key == "grpc-status-details-bin":
            status = status_pb2.Status.FromString(value)
            info, bad = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest()
            for detail in status.details:
                detail.Unpack(info)
                detail.Unpack(bad)
            return info, bad
    raise AssertionError(f"no details in {error}")


with open(archive, "rb") as file:
    content = file.read()
release = common_pb2.ReleaseRef(version=version, digest=hashlib.sha256(content).hexdigest())
spec = common_pb2.SlotSpec(port=int(port), node=node, env={"DEMO_WARMUP_MS": "100"})

# A request with several wrong fields is told all of them.
try:
    follow("bad", instances.Start(instances_pb2.StartRequest(app="Not A Name", slot="main")))
    raise AssertionError("a wrong request was taken")
except grpc.RpcError as error:
    info, bad = details(error)
    assert error.code() == grpc.StatusCode.INVALID_ARGUMENT and info.domain == "decant" and info.reason == "BAD_REQUEST", info
    fields = {violation.field for violation in bad.field_violations}
    assert {"operation.id", "app", "release", "spec"} & fields >= {"operation.id", "app"}, fields
    print("refused as it should be:", sorted(fields))

# Nobody else changes the app from here on; without the token this client does not either.
holder = leases_pb2.LeaseHolder(id=deployment, user="a test", purpose=f"deploying {app} {version} in another language")
lease = leases.AcquireLease(leases_pb2.AcquireLeaseRequest(app=app, holder=holder, duration=duration_pb2.Duration(seconds=600)))
try:
    follow("stop", instances.Stop(instances_pb2.StopRequest(operation=operation("without"), app=app, slot="main")))
    raise AssertionError("a call without a token was done under a lease")
except grpc.RpcError as error:
    info, _ = details(error)
    assert error.code() == grpc.StatusCode.FAILED_PRECONDITION and info.reason == "LEASE_HELD", info
    assert "in another language" in info.metadata["holder"], info
token = lease.fencing_token

# Upload in two halves, as after a broken connection.
for half in (content[: len(content) // 2], None):
    status = releases.GetUpload(releases_pb2.GetUploadRequest(app=app, release=release))
    part = half if half is not None else content[status.offset :]

    def messages(offset=status.offset, data=part):
        yield releases_pb2.UploadRequest(
            header=releases_pb2.UploadHeader(app=app, release=release, total_bytes=len(content), offset=offset, fencing_token=token)
        )
        for start in range(0, len(data), 128 * 1024):
            yield releases_pb2.UploadRequest(data=data[start : start + 128 * 1024])

    status = releases.Upload(messages())
    print(f"uploaded {status.offset} of {len(content)} bytes")
assert status.complete, status

check = common_pb2.HealthCheck(http=common_pb2.HttpCheck(path="/health"))
staged = follow("stage", releases.Stage(releases_pb2.StageRequest(operation=operation("stage"), app=app, release=release)))
assert staged.stage.entries > 100, staged
follow("preflight", instances.Preflight(
    instances_pb2.PreflightRequest(operation=operation("preflight"), app=app, slot="main", release=release, spec=spec)))
started = follow("start", instances.Start(
    instances_pb2.StartRequest(operation=operation("start"), app=app, slot="main", release=release, spec=spec, health=check)))
again = follow("start again", instances.Start(
    instances_pb2.StartRequest(operation=operation("start"), app=app, slot="main", release=release, spec=spec, health=check)))
assert again.start.pid == started.start.pid, (again, started)
healthy = follow("healthy", instances.AwaitHealthy(instances_pb2.AwaitHealthyRequest(
    operation=operation("healthy"), app=app, slot="main", release=release, health=check, deadline=duration_pb2.Duration(seconds=30))))
assert healthy.await_healthy.verified.version == version, healthy

known = operations.GetOperation(operations_pb2.GetOperationRequest(id=f"{deployment}/start"))
assert known.kind == operations_pb2.OPERATION_KIND_START and known.result.start.pid == started.start.pid, known
status = hosts.GetStatus(host_pb2.GetStatusRequest(app=app))
assert [i.release.version for i in status.instances] == [version], status
stopped = follow("stop", instances.Stop(instances_pb2.StopRequest(operation=operation("stop"), app=app, slot="main")))
assert stopped.stop.means == operations_pb2.STOP_MEANS_SCRIPT, stopped
leases.ReleaseLease(leases_pb2.ReleaseLeaseRequest(app=app, fencing_token=token))
print("foreign client: ok", os.path.basename(archive))
