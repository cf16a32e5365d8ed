"""A full disk.

    full_disk.py --norn PATH --disk FOLDER      FOLDER is a small file system of its own

Workflows are started until there is no room for more: starts and signals are then refused with RESOURCE_EXHAUSTED, while
terminations and deletions still work and reads are answered.  When a file that took a part of the disk is gone, starts go
on.  Then the server is killed; after its restart every run that was acknowledged is there, with its signal.
"""

import argparse
import asyncio
import os
import re
import signal
import subprocess
import sys
import time
import uuid
from pathlib import Path

from temporalio.api.common.v1 import Payload, Payloads, WorkflowExecution, WorkflowType
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import request_response_pb2 as rpc
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

MIB = 1 << 20
FULL, GONE = RPCStatusCode.RESOURCE_EXHAUSTED, RPCStatusCode.NOT_FOUND


class Server:
    def __init__(self, norn: str, disk: Path) -> None:
        self.norn, self.disk, self.log = norn, disk, disk.parent / "disk.log"
        self.log.write_text("")

    def start(self) -> str:
        before = self.log.stat().st_size
        flags = ("--grpc 127.0.0.1:0 --http 127.0.0.1:0 --metrics 127.0.0.1:0 --log-level warn --store.segment-size 4MiB "
                 "--store.reserve 8MiB --store.checkpoint-bytes 8MiB").split()
        with self.log.open("a") as log:
            self.process = subprocess.Popen([self.norn, "server", "--data", str(self.disk / "data"), *flags], stdout=log,
                                            stderr=log)
        end = time.monotonic() + 30
        while not (found := re.search(r"grpc[^0-9]*([0-9.]+:[0-9]+)", self.log.read_text()[before:])):
            assert self.process.poll() is None and time.monotonic() < end, self.log.read_text()
            time.sleep(0.02)
        return found[1]


class Test:
    def __init__(self) -> None:
        self.runs: dict[str, str] = {}      # acknowledged and not deleted: id -> run
        self.signalled: set[str] = set()
        self.terminated: set[str] = set()
        self.deleted: set[str] = set()
        self.count = 0

    async def connect(self, address: str) -> None:
        self.service = (await Client.connect(address)).workflow_service

    async def start(self, size: int = 32768) -> str:
        self.count += 1
        id = f"full-{self.count}"
        answer = await self.service.start_workflow_execution(rpc.StartWorkflowExecutionRequest(
            namespace="default", workflow_id=id, workflow_type=WorkflowType(name="W"), task_queue=TaskQueue(name="q"),
            request_id=uuid.uuid4().hex, input=Payloads(payloads=[Payload(data=os.urandom(size))])))
        self.runs[id] = answer.run_id
        return id

    async def signal(self, id: str) -> None:
        await self.service.signal_workflow_execution(rpc.SignalWorkflowExecutionRequest(
            namespace="default", workflow_execution=WorkflowExecution(workflow_id=id), signal_name="mark"))
        self.signalled.add(id)

    async def fill(self, size: int = 32768) -> str:
        """Starts until nothing goes any more; what the server says then."""
        text, refused = "", 0
        while refused < 20:
            try:
                await self.start(size)
                refused = 0
            except RPCError as e:
                assert e.status == FULL, f"{e.status.name} {e.message}"
                text, refused = e.message, refused + 1
                await asyncio.sleep(0.05)
        return text

    async def events(self, id: str) -> list[int]:
        answer = await self.service.get_workflow_execution_history(rpc.GetWorkflowExecutionHistoryRequest(
            namespace="default", execution=WorkflowExecution(workflow_id=id, run_id=self.runs[id])))
        return [e.event_type for e in answer.history.events]

    async def check(self) -> None:
        for id, run in self.runs.items():
            if id in self.deleted:
                try:
                    await self.events(id)
                    raise AssertionError(f"{id} was deleted, and is there")
                except RPCError as e:
                    assert e.status == GONE, e.message
                continue
            events = await self.events(id)
            assert (26 in events) == (id in self.signalled), f"{id}: {events}"
            assert (27 in events) == (id in self.terminated), f"{id}: {events}"

    async def while_full(self) -> None:
        ids = [id for id in self.runs if id not in self.deleted | self.terminated][:60]
        try:
            for id in ids:
                await self.signal(id)
            raise AssertionError("signals are taken on a full disk")
        except RPCError as e:
            assert e.status == FULL, e.message
        for id in ids[:20]:
            await self.service.terminate_workflow_execution(rpc.TerminateWorkflowExecutionRequest(
                namespace="default", workflow_execution=WorkflowExecution(workflow_id=id)))
            self.terminated.add(id)
        for id in ids[10:40]:
            await self.service.delete_workflow_execution(rpc.DeleteWorkflowExecutionRequest(
                namespace="default", workflow_execution=WorkflowExecution(workflow_id=id)))
            self.deleted.add(id)
        for id in ids[40:50]:
            assert await self.events(id)


async def test(args, server: Server) -> None:
    ballast = args.disk / "ballast"
    with ballast.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, 16 * MIB)
    spare = args.disk / "spare"
    spare.write_bytes(bytes(4 * MIB))
    t = Test()
    await t.connect(server.start())
    for _ in range(100):
        await t.signal(await t.start())
    text = await t.fill()
    full_with = len(t.runs)
    await t.while_full()
    await t.check()
    ballast.unlink()
    for _ in range(200):                 # it looks again by itself
        try:
            await t.signal(await t.start())
            break
        except RPCError as e:
            assert e.status == FULL, e.message
            await asyncio.sleep(0.05)
    else:
        raise AssertionError("there is room again, and starts are refused")
    await t.fill(200_000)
    print(f"full with {full_with} runs ({text!r}); with room again, full with {len(t.runs)}")
    await t.while_full()
    server.process.send_signal(signal.SIGKILL)
    server.process.wait()
    spare.unlink()                       # without any room it says so and does not start
    await t.connect(server.start())
    await t.check()
    server.process.terminate()
    status = server.process.wait(60)
    assert status == 0, f"exit status {status} after SIGTERM on a full disk"


async def reported(args) -> int:
    server = Server(args.norn, args.disk)
    try:
        await test(args, server)
        print("PASS a full disk")
        return 0
    except Exception as e:
        print(f"FAIL {e!r}\n{server.log.read_text()[-2000:]}")
        return 1
    finally:
        server.process.kill()
        server.process.wait()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--norn", required=True)
    parser.add_argument("--disk", type=Path, required=True)
    status = asyncio.new_event_loop().run_until_complete(reported(parser.parse_args()))
    sys.stdout.flush()
    os._exit(status)        # the SDK's own threads are not waited for
