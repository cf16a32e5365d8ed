"""kill -9 under load: what the server acknowledged must be there afterwards, and happen exactly once.

    kill9.py --norn PATH [--rounds 20] [--open 1000] [--seed N]

Workflows of three steps (activity, timer, activity) are started so that at least --open are open at each kill.  Nine in
ten are run by a worker written on the raw API, which keeps no state between tasks; the others by the SDK's worker with
its sticky cache.  A third of them get a signal.  Each call that was acknowledged is noted, outside of the server:

    acknowledged.ledger   start ID RUN | signal ID | activity ID NAME NONCE   fsynced before it counts
    activities.ledger     ID NAME NONCE                                       each time an activity runs

After the last round the server is stopped with SIGTERM and started again.  Then for each acknowledged start there must be
one run, with the acknowledged run id, completed with the right result; each acknowledged signal must be in its history
once, each acknowledged activity result must be the one in the history, and each activity must have run at least once.
"""

import argparse
import asyncio
import collections
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from datetime import timedelta
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "sdk" / "python"))

from temporalio import activity, workflow
from temporalio.api.common.v1 import Payload, Payloads, WorkflowExecution, WorkflowType
from temporalio.api.enums.v1 import EventType
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import request_response_pb2 as rpc
from temporalio.client import Client
from temporalio.common import RetryPolicy
from temporalio.runtime import LoggingConfig, Runtime, TelemetryConfig
from temporalio.service import RPCError, RPCStatusCode
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from harness import activity_command, attributes, command, duration, notation, timer_command

RAW, SDK = "kill9-raw", "kill9-sdk"
POLLERS = 16
LOST = (RPCStatusCode.NOT_FOUND, RPCStatusCode.INVALID_ARGUMENT, RPCStatusCode.ALREADY_EXISTS)


class Ledger:
    """A file of lines; what was appended is on the disk when `append` returns.  Many appends share one fsync."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.file = path.open("a")
        self.lock = asyncio.Lock()
        self.written = self.synced = 0

    async def append(self, line: str) -> None:
        self.file.write(line + "\n")
        self.written += 1
        mine = self.written
        async with self.lock:
            if self.synced < mine:
                upto = self.written
                self.file.flush()
                await asyncio.to_thread(os.fsync, self.file.fileno())
                self.synced = upto

    def lines(self) -> list[list[str]]:
        return [line.split() for line in self.path.read_text().splitlines()]


class Server:
    """The server under test, always on the same port."""

    def __init__(self, norn: str, folder: Path) -> None:
        self.norn, self.folder, self.port = norn, folder, 0
        self.log = folder / "server.log"

    def start(self) -> None:
        before = self.log.stat().st_size if self.log.exists() else 0
        flags = f"--grpc 127.0.0.1:{self.port} --http 127.0.0.1:0 --metrics 127.0.0.1:0".split()
        with self.log.open("a") as log:
            data = str(self.folder / "data")
            self.process = subprocess.Popen([self.norn, "server", "--data", data, *flags], stdout=log, stderr=log)
        end = time.monotonic() + 30
        while not (found := re.search(r"grpc[^0-9]*[0-9.]+:([0-9]+)", self.log.read_text()[before:])):
            if self.process.poll() is not None or time.monotonic() > end:
                raise SystemExit(f"FAIL kill9: the server does not start\n{self.log.read_text()[-2000:]}")
            time.sleep(0.02)
        self.port = int(found[1])

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(30)


class Load:
    def __init__(self, client: Client, folder: Path, random: random.Random) -> None:
        self.client, self.service, self.namespace = client, client.workflow_service, client.namespace
        self.random = random
        self.acknowledged = Ledger(folder / "acknowledged.ledger")
        self.activities = Ledger(folder / "activities.ledger")
        self.started = 0
        self.open: set[str] = set()
        self.finished = 0
        self.starting = True
        self.errors: list[str] = []

    async def call(self, method, request, seconds: float = 5, until: float = 60):
        """Repeats a call that may have been lost in a crash; other errors go to the caller."""
        end = time.monotonic() + until
        while True:
            try:
                return await method(request, timeout=timedelta(seconds=seconds))
            except RPCError as e:
                if e.status in LOST or time.monotonic() > end:
                    raise
                await asyncio.sleep(0.05)

    # Clients

    async def starter(self, target: int) -> None:
        while self.starting:
            if len(self.open) >= target:
                await asyncio.sleep(0.02)
                continue
            self.started += 1
            id = f"kill9-{self.started}"
            sdk = self.started % 10 == 0
            self.open.add(id)
            request = rpc.StartWorkflowExecutionRequest(
                namespace=self.namespace,
                workflow_id=id,
                workflow_type=WorkflowType(name="ThreeSteps"),
                task_queue=TaskQueue(name=SDK if sdk else RAW),
                request_id=str(uuid.uuid4()),
                workflow_task_timeout=duration(3),
                workflow_id_reuse_policy=3,  # REJECT_DUPLICATE
            )
            try:
                answer = await self.call(self.service.start_workflow_execution, request)
            except RPCError as e:
                self.errors.append(f"start of {id}: {e.status.name} {e.message}")
                continue
            await self.acknowledged.append(f"start {id} {answer.run_id}")
            if sdk:
                self.spawn(self.wait_for_result(id))
            if self.started % 3 == 0:
                self.spawn(self.send_signal(id))

    def spawn(self, coroutine) -> None:
        task = asyncio.create_task(coroutine)
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    async def wait_for_result(self, id: str) -> None:
        while True:
            try:
                await self.client.get_workflow_handle(id).result(rpc_timeout=timedelta(seconds=20))
                break
            except RPCError:
                await asyncio.sleep(0.2)
        self.done(id)

    async def send_signal(self, id: str) -> None:
        await asyncio.sleep(self.random.random())
        request = rpc.SignalWorkflowExecutionRequest(
            namespace=self.namespace,
            workflow_execution=WorkflowExecution(workflow_id=id),
            signal_name="mark",
            request_id=str(uuid.uuid4()),
        )
        try:
            await self.call(self.service.signal_workflow_execution, request)
        except RPCError:
            return  # it came too late
        await self.acknowledged.append(f"signal {id}")

    def done(self, id: str) -> None:
        if id in self.open:
            self.open.remove(id)
            self.finished += 1

    # The raw worker

    def decide(self, id: str, events) -> list:
        """The commands that follow from a history; nothing else is known."""
        names = notation(events).split()
        results = [attributes(e).result.payloads[0].data for e in events if e.event_type == 12]
        if names.count("ActivityScheduled") == 0:
            return [activity_command("one", RAW, start_to_close_timeout=duration(4))]
        if len(results) == 1 and "TimerStarted" not in names:
            return [timer_command("t", 0.5 + self.random.random() * 5)]
        if "TimerFired" in names and names.count("ActivityScheduled") == 1:
            return [activity_command("two", RAW, start_to_close_timeout=duration(4))]
        if len(results) == 2:
            payload = Payload(metadata={"encoding": b"json/plain"}, data=b'"' + id.encode() + b" done\"")
            return [command("complete_workflow_execution", result=Payloads(payloads=[payload]))]
        return []

    async def workflow_poller(self) -> None:
        request = rpc.PollWorkflowTaskQueueRequest(
            namespace=self.namespace, task_queue=TaskQueue(name=RAW), identity="kill9"
        )
        while True:
            try:
                task = await self.service.poll_workflow_task_queue(request, timeout=timedelta(seconds=20))
            except RPCError:
                await asyncio.sleep(0.05)
                continue
            if not task.task_token:
                continue
            id = task.workflow_execution.workflow_id
            commands = self.decide(id, task.history.events)
            answer = rpc.RespondWorkflowTaskCompletedRequest(
                namespace=self.namespace, task_token=task.task_token, identity="kill9", commands=commands
            )
            ends = any(c.HasField("complete_workflow_execution_command_attributes") for c in commands)
            try:
                await self.call(self.service.respond_workflow_task_completed, answer)
            except RPCError:
                if ends:  # perhaps the first try was taken and its answer lost
                    self.spawn(self.settle(id))
                continue
            if ends:
                self.done(id)

    async def settle(self, id: str) -> None:
        request = rpc.DescribeWorkflowExecutionRequest(
            namespace=self.namespace, execution=WorkflowExecution(workflow_id=id)
        )
        d = await self.call(self.service.describe_workflow_execution, request)
        if d.workflow_execution_info.status == 2:
            self.done(id)

    async def activity_poller(self) -> None:
        request = rpc.PollActivityTaskQueueRequest(
            namespace=self.namespace, task_queue=TaskQueue(name=RAW), identity="kill9"
        )
        while True:
            try:
                task = await self.service.poll_activity_task_queue(request, timeout=timedelta(seconds=20))
            except RPCError:
                await asyncio.sleep(0.05)
                continue
            if not task.task_token:
                continue
            name = f"{task.workflow_execution.workflow_id} {task.activity_id}"
            nonce = uuid.uuid4().hex
            await self.activities.append(f"{name} {nonce}")
            answer = rpc.RespondActivityTaskCompletedRequest(
                namespace=self.namespace,
                task_token=task.task_token,
                result=Payloads(payloads=[Payload(data=nonce.encode())]),
            )
            try:
                await self.call(self.service.respond_activity_task_completed, answer)
            except RPCError:
                continue
            await self.acknowledged.append(f"activity {name} {nonce}")

    # The SDK's worker

    def sdk_worker(self) -> Worker:
        return Worker(
            self.client,
            task_queue=SDK,
            workflows=[ThreeSteps],
            activities=[self.step],
            workflow_runner=UnsandboxedWorkflowRunner(),
            max_cached_workflows=50,
        )

    @activity.defn(name="step")
    async def step(self, name: str) -> str:
        nonce = uuid.uuid4().hex
        await self.activities.append(f"{activity.info().workflow_id} {name} {nonce}")
        return nonce

    # The check at the end

    async def check(self) -> None:
        starts: dict[str, str] = {}
        signals: collections.Counter[str] = collections.Counter()
        results: dict[str, list[str]] = collections.defaultdict(list)
        for kind, id, *rest in self.acknowledged.lines():
            if kind == "start":
                starts[id] = rest[0]
            elif kind == "signal":
                signals[id] += 1
            else:
                results[id].append(rest[1])
        ran: dict[str, dict[str, set[str]]] = collections.defaultdict(lambda: collections.defaultdict(set))
        for id, name, nonce in self.activities.lines():
            ran[id][name].add(nonce)

        runs: dict[str, list[tuple[str, int]]] = collections.defaultdict(list)
        for queue in (RAW, SDK):
            async for w in self.client.list_workflows(f"TaskQueue = '{queue}'", page_size=500):
                runs[w.id].append((w.run_id, int(w.status)))
        for id, run_id in starts.items():
            if runs[id] != [(run_id, 2)]:
                self.errors.append(f"{id}: listed runs {runs[id]}, acknowledged {run_id}")
        for id in runs.keys() - starts.keys():
            self.errors.append(f"{id}: a run that nobody was told of")

        ids = list(starts)

        async def lane() -> None:
            while ids:
                id = ids.pop()
                problem = await self.check_one(id, starts[id], signals[id], results[id], ran[id])
                if problem:
                    self.errors.append(f"{id}: {problem}")

        await asyncio.gather(*(lane() for _ in range(16)))
        print(
            f"checked {len(starts)} starts, {sum(signals.values())} signals, "
            f"{sum(map(len, results.values()))} activity results; "
            f"{sum(len(n) for a in ran.values() for n in a.values())} activities ran",
            flush=True,
        )

    async def check_one(self, id: str, run_id: str, signals: int, results: list[str], ran) -> str:
        request = rpc.GetWorkflowExecutionHistoryRequest(
            namespace=self.namespace, execution=WorkflowExecution(workflow_id=id)
        )
        events = (await self.call(self.service.get_workflow_execution_history, request)).history.events
        names = notation(events).split()
        if [e.event_id for e in events] != list(range(1, len(events) + 1)):
            return "event ids"
        if not names or names[-1] != "Completed":
            return f"history {' '.join(names)}"
        if attributes(events[0]).original_execution_run_id != run_id:
            return f"run {attributes(events[0]).original_execution_run_id}, acknowledged {run_id}"
        if attributes(events[-1]).result.payloads[0].data != b'"' + id.encode() + b' done"':
            return f"result {attributes(events[-1]).result}"
        if not signals <= names.count("Signaled") <= 1:
            return f"{names.count('Signaled')} signals, acknowledged {signals}"
        kind = EventType.EVENT_TYPE_ACTIVITY_TASK_COMPLETED
        written = [attributes(e).result.payloads[0].data.decode().strip('"') for e in events if e.event_type == kind]
        if len(written) != 2 or not set(results) <= set(written):
            return f"activity results {written}, acknowledged {results}"
        if len(ran) != 2 or not set(written) <= set().union(*ran.values()):
            return f"activities ran: {dict(ran)}"
        return ""


@workflow.defn
class ThreeSteps:
    @workflow.run
    async def run(self) -> str:
        for name in ("one", "two"):
            await workflow.execute_activity(
                "step",
                name,
                start_to_close_timeout=timedelta(seconds=4),
                retry_policy=RetryPolicy(initial_interval=timedelta(milliseconds=100)),
            )
            if name == "one":
                await asyncio.sleep(0.5 + workflow.random().random() * 5)
        return f"{workflow.info().workflow_id} done"

    @workflow.signal
    def mark(self) -> None:
        pass


tasks: set[asyncio.Task] = set()


async def connect(server: Server) -> Client:
    end = time.monotonic() + 30
    while True:
        try:
            client = await Client.connect(f"127.0.0.1:{server.port}")
            await client.workflow_service.describe_namespace(rpc.DescribeNamespaceRequest(namespace="default"))
            return client
        except (RPCError, RuntimeError):
            if time.monotonic() > end:
                raise
            await asyncio.sleep(0.1)


async def until(condition, seconds: float, what: str) -> None:
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise SystemExit(f"FAIL kill9: after {seconds:.0f} s {what()}")
        await asyncio.sleep(0.05)


async def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--norn", required=True)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--open", type=int, default=1000, help="workflows that are open at each kill")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", action="store_true", help="keep the folder, also when all is well")
    args = parser.parse_args()
    Runtime.set_default(Runtime(telemetry=TelemetryConfig(logging=LoggingConfig(filter="off"))))
    begin = time.monotonic()
    folder = Path(tempfile.mkdtemp(prefix="norn-kill9-"))
    server = Server(args.norn, folder)
    server.start()
    try:
        client = await connect(server)
        load = Load(client, folder, random.Random(args.seed))
        sdk_worker = load.sdk_worker()
        load.spawn(sdk_worker.run())
        for _ in range(POLLERS):
            load.spawn(load.workflow_poller())
            load.spawn(load.activity_poller())
            load.spawn(load.starter(args.open + 100))
        for number in range(1, args.rounds + 1):
            finished = load.finished
            await asyncio.sleep(0.5 + load.random.random() * 2)
            await until(
                lambda: len(load.open) >= args.open and (load.finished > finished or number == 1),
                60,
                lambda: f"{len(load.open)} workflows are open, {load.finished - finished} finished in this round",
            )
            server.kill()
            print(f"round {number}: killed with {len(load.open)} open, {load.finished} finished", flush=True)
            server.start()
        load.starting = False
        await until(lambda: not load.open, 90, lambda: f"still open: {len(load.open)}, such as {sorted(load.open)[:3]}")
        await asyncio.sleep(1)
        for task in list(tasks):
            task.cancel()
        await asyncio.wait(list(tasks), timeout=10)
        status = server.stop()
        if status != 0:
            load.errors.append(f"exit status {status} after SIGTERM")
        server.start()
        load.client = await connect(server)
        load.service = load.client.workflow_service
        await load.check()
    finally:
        server.kill()
    for error in load.errors[:20]:
        print(f"FAIL kill9: {error}", flush=True)
    if load.errors:
        print(f"FAIL kill9: {len(load.errors)} errors; see {folder}", flush=True)
        return 1
    if not args.keep:
        subprocess.run(["rm", "-rf", str(folder)], check=True)
    print(f"PASS kill9: {args.rounds} rounds in {time.monotonic() - begin:.0f} s", flush=True)
    return 0


if __name__ == "__main__":
    status = 1
    try:
        status = asyncio.run(main())
    except SystemExit as e:
        print(e, flush=True)
    sys.stdout.flush()
    os._exit(status)
