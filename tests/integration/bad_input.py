"""Bad input to a real server: each gets a clear error, and the server goes on serving.

    bad_input.py --address HOST:PORT --http HOST:PORT
"""

import argparse
import asyncio
import os
import random
import socket
import struct
import sys
import uuid

from temporalio.api.common.v1 import Payload, Payloads, WorkflowExecution, WorkflowType
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import request_response_pb2 as rpc
from temporalio.client import Client
from temporalio.service import RPCError

from h2 import DATA, HEADERS, PREFACE, SERVICE, SETTINGS, WINDOW_UPDATE, Call, Connection, frame, header_block, message, text

failures = 0


def report(name: str, problem: str) -> None:
    global failures
    failures += bool(problem)
    print(f"{'FAIL' if problem else 'PASS'} {name}{': ' + problem if problem else ''}", flush=True)


def serves(address: str) -> bool:
    c = Connection(address, 5)
    good = c.call("GetSystemInfo", rpc.GetSystemInfoRequest()).good
    c.sock.close()
    return good


# ---- bytes


def throw(address: str, data: bytes) -> bytes:
    """Sends, says that no more comes, and takes all there is until the server ends the connection."""
    host, port = address.rsplit(":", 1)
    with socket.create_connection((host, int(port)), 20) as s:
        out = b""
        try:
            s.sendall(data)
            s.shutdown(socket.SHUT_WR)
            while more := s.recv(65536):
                out += more
        except ConnectionError:
            pass
        return out


def connections(address: str, http: str) -> None:
    rng = random.Random(7)
    hello = PREFACE + frame(SETTINGS, 0, 0)
    request = frame(HEADERS, 4, 1, header_block(SERVICE + "GetSystemInfo")) + frame(DATA, 1, 1, message(b""))
    whole = hello + request
    cases = {
        "random bytes": [rng.randbytes(3000) for _ in range(30)],
        "random bytes after the preface": [PREFACE + rng.randbytes(3000) for _ in range(30)],
        "random frames": [hello + b"".join(frame(rng.randrange(12), rng.randrange(256), rng.randrange(5),
                                                 rng.randbytes(rng.randrange(60))) for _ in range(50)) for _ in range(30)],
        "frames that are cut": [whole[:n] for n in range(1, len(whole), 7)],
        "bits that are turned": [whole[:n] + bytes([whole[n] ^ 1 << rng.randrange(8)]) + whole[n + 1 :]
                                 for n in range(len(PREFACE), len(whole), 3)],
        "an oversized frame": [hello + b"\xff\xff\xff\0\0\0\0\0\1" + bytes(70000)],
        "a window that overflows": [hello + frame(WINDOW_UPDATE, 0, 0, b"\x7f\xff\xff\xff") * 3],
        "HPACK: an index that is not there": [hello + frame(HEADERS, 5, 1, b"\xff\xff\xff\xff\x0f")],
        "HPACK: an endless integer": [hello + frame(HEADERS, 5, 1, b"\xff" + b"\xff" * 60)],
        "HPACK: a table too large": [hello + frame(HEADERS, 5, 1, b"\x3f\xe1\xff\xff\x07")],
        "HPACK: bad Huffman": [hello + frame(HEADERS, 5, 1, b"\0\x83\xff\xff\xff\1a")],
        "HPACK: a bomb": [hello + frame(HEADERS, 4, 1, b"\x40" + text(b"a") + text(bytes(3000)) + b"\xbe" * 13000)
                          + frame(DATA, 1, 1)],
        "CONTINUATION without end": [hello + frame(HEADERS, 0, 1, header_block("/a/b")) + frame(9, 0, 1, b"") * 5000],
    }
    for name, inputs in cases.items():
        try:
            for data in inputs:
                throw(address, data)
            report(name, "" if serves(address) else "the server does not serve")
        except OSError as e:
            report(name, repr(e))
    try:
        for data in [rng.randbytes(2000) for _ in range(20)] + [b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 100000]:
            throw(http, data)
        answer = throw(http, b"GET /health HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n")
        report("bytes on the HTTP port", "" if b"200" in answer[:20] else repr(answer[:60]))
    except OSError as e:
        report("bytes on the HTTP port", repr(e))


# ---- requests


async def refused(name: str, code: str, words: str, call) -> None:
    try:
        await call
        report(name, "it was taken")
    except RPCError as e:
        good = e.status.name == code and words.lower() in e.message.lower()
        report(name, "" if good else f"{e.status.name}: {e.message}; expected {code} with {words!r}")


def start(**fields):
    request = rpc.StartWorkflowExecutionRequest(
        namespace="default", workflow_id="w", workflow_type=WorkflowType(name="W"), task_queue=TaskQueue(name="q"),
        request_id=uuid.uuid4().hex)
    for name, value in fields.items():
        if isinstance(value, (str, int)):
            setattr(request, name, value)
        else:
            getattr(request, name).CopyFrom(value)
    return request


class Raw:
    """A request whose bytes are as they are."""

    def __init__(self, data: bytes) -> None:
        self.data = data

    def SerializeToString(self) -> bytes:
        return self.data


async def requests(address: str) -> None:
    service = (await Client.connect(address)).workflow_service
    begin = service.start_workflow_execution
    await refused("an unknown namespace", "NOT_FOUND", "namespace nope is not found", begin(start(namespace="nope")))
    await refused("no namespace", "INVALID_ARGUMENT", "namespace", begin(start(namespace="")))
    await refused("no workflow id", "INVALID_ARGUMENT", "WorkflowId", begin(start(workflow_id="")))
    await refused("an id that is too long", "INVALID_ARGUMENT", "WorkflowId", begin(start(workflow_id="x" * 1001)))
    await refused("no type", "INVALID_ARGUMENT", "WorkflowType", begin(start(workflow_type=WorkflowType())))
    await refused("no task queue", "INVALID_ARGUMENT", "task queue", begin(start(task_queue=TaskQueue())))
    big = Payloads(payloads=[Payload(data=bytes(3 << 20))])
    await refused("an input that is too large", "INVALID_ARGUMENT", "limit", begin(start(input=big)))
    huge = Payloads(payloads=[Payload(data=bytes(6 << 20))])
    await refused("a message that is too large", "RESOURCE_EXHAUSTED", "larger than", begin(start(input=huge)))
    await refused("a run id that is none", "INVALID_ARGUMENT", "RunId", service.describe_workflow_execution(
        rpc.DescribeWorkflowExecutionRequest(namespace="default",
                                             execution=WorkflowExecution(workflow_id="w", run_id="none"))))
    await refused("a run that is not there", "NOT_FOUND", "not found", service.describe_workflow_execution(
        rpc.DescribeWorkflowExecutionRequest(namespace="default", execution=WorkflowExecution(
            workflow_id="w", run_id=str(uuid.uuid4())))))
    for token in (b"", b"x", os.urandom(100)):
        await refused(f"a task token of {len(token)} bytes", "INVALID_ARGUMENT", "token",
                      service.respond_workflow_task_completed(rpc.RespondWorkflowTaskCompletedRequest(
                          namespace="default", task_token=token)))
    await refused("a page token", "INVALID_ARGUMENT", "token", service.list_workflow_executions(
        rpc.ListWorkflowExecutionsRequest(namespace="default", next_page_token=b"nonsense")))
    await refused("a filter", "INVALID_ARGUMENT", "query", service.list_workflow_executions(
        rpc.ListWorkflowExecutionsRequest(namespace="default", query="WorkflowId = = 'a'")))


def messages(address: str) -> None:
    good = start().SerializeToString()
    deep = b""
    for _ in range(300):                 # Failure.cause in Failure.cause ...
        deep = b"\x22" + bytes([len(deep) & 127]) + deep if len(deep) < 128 else b"\x22" + struct.pack(
            "BB", len(deep) & 127 | 128, len(deep) >> 7) + deep
    bodies = {
        "a message that is cut": ("StartWorkflowExecution", good[:-3]),
        "a field of a wrong type": ("StartWorkflowExecution", b"\x08\x01" + good),
        "text that is not UTF-8": ("StartWorkflowExecution", b"\x12\x02\xff\xfe" + good),
        "noise": ("StartWorkflowExecution", os.urandom(500)),
        "nesting": ("RespondWorkflowTaskFailed", b"\x1a" + bytes([len(deep) & 127 | 128, len(deep) >> 7]) + deep),
    }
    c = Connection(address)
    for name, (method, body) in bodies.items():
        call = c.call(method, Raw(body))
        report(name, "it was taken" if call.good else "")
    for name, path in {"an unknown method": SERVICE + "Nope", "an unknown service": "/a.b/C", "no path": "/"}.items():
        report(name, "it was taken" if c.call(path, Raw(b"")).good else "")
    for name, timeout in {"a passed deadline": "0n", "a deadline of nonsense": "soon", "a huge deadline": "9" * 20 + "H"}.items():
        call = c.call("PollWorkflowTaskQueue", rpc.PollWorkflowTaskQueueRequest(
            namespace="default", task_queue=TaskQueue(name="q")), extra={"grpc-timeout": timeout})
        report(name, "it was taken" if call.good else "")
    # Length prefixes of gRPC that do not fit.
    for name, body in {"a length beyond the message": b"\0\0\0\0\x09abc", "a length of 4 GiB": b"\0\xff\xff\xff\xff",
                       "half a prefix": b"\0\0", "compression that is none": b"\1\0\0\0\3abc",
                       "two messages": message(b"") * 2}.items():
        stream, c.next_stream = c.next_stream, c.next_stream + 2
        c.calls[stream] = call = Call(0)
        c.send(frame(HEADERS, 4, stream, header_block(SERVICE + "GetSystemInfo")) + frame(DATA, 1, stream, body))
        c.wait(call)
        report(name, "it was taken" if call.good else "")
    report("the connection goes on", "" if c.call("GetSystemInfo", rpc.GetSystemInfoRequest()).good else "it does not")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--address", required=True)
    parser.add_argument("--http", required=True)
    args = parser.parse_args()
    connections(args.address, args.http)
    messages(args.address)
    asyncio.new_event_loop().run_until_complete(requests(args.address))
    report("the server serves", "" if serves(args.address) else "it does not")
    sys.stdout.flush()
    os._exit(failures != 0)              # the SDK's own threads are not waited for


if __name__ == "__main__":
    main()
