"""Folders of earlier servers: makes one, or opens one and goes on with it.

    old_folder.py make --norn OLD_NORN --folder FOLDER     serve, run workflows, kill -9; FOLDER is the fixture
    old_folder.py open --norn NORN --folder COPY           serve a copy of it: everything is there and goes on

The folder holds, besides the server's files, `expected.json`: each run's status and history as they were acknowledged.
Half of it came before a checkpoint, so that SQLite and the journal both have something that the other lacks.
"""

import argparse
import asyncio
import base64
import json
import re
import signal
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path

from temporalio import activity, workflow
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import History
from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest
from temporalio.api.workflowservice.v1 import request_response_pb2 as rpc
from temporalio.client import Client
from temporalio.common import RetryPolicy, SearchAttributeKey, SearchAttributePair, TypedSearchAttributes
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

NAMESPACE, QUEUE = "kept", "old"
Customer = SearchAttributeKey.for_keyword("Customer")
LONG = timedelta(minutes=1)  # past when the folder is opened
attempts_fail = False


@activity.defn
async def step(name: str) -> str:
    if attempts_fail and name == "retried":
        raise ApplicationError("not today")
    return f"{name} at attempt {activity.info().attempt}"


@workflow.defn
class Waits:
    """Runs an activity, then waits for what its id says."""

    def __init__(self) -> None:
        self.signals: list[str] = []

    @workflow.signal
    def go(self, text: str) -> None:
        self.signals.append(text)

    @workflow.query
    def seen(self) -> list[str]:
        return self.signals

    @workflow.run
    async def run(self, how: str, round: int) -> list[str]:
        retry = RetryPolicy(initial_interval=LONG, maximum_interval=LONG)
        done = await workflow.execute_activity(step, how, start_to_close_timeout=LONG, retry_policy=retry)
        if how == "timer":
            await asyncio.sleep(LONG.total_seconds())
        if how == "continued" and round == 0:
            workflow.continue_as_new(args=[how, 1])
        if how in ("signal", "continued"):
            await workflow.wait_condition(lambda: "end" in self.signals)
        return [done, *self.signals]


class Server:
    def __init__(self, norn: str, data: Path) -> None:
        self.log = data.with_suffix(".log")
        flags = ["--data", str(data), "--store.segment-size", "1MiB", "--store.reserve", "1MiB"]
        flags += "--grpc 127.0.0.1:0 --http 127.0.0.1:0 --metrics 127.0.0.1:0".split()
        with self.log.open("w") as log:
            self.process = subprocess.Popen([norn, "server", *flags], stdout=log, stderr=log)
        end = time.monotonic() + 30
        while not (found := re.search(r"grpc listening on (\S+)", self.log.read_text())):
            if self.process.poll() is not None or time.monotonic() > end:
                raise SystemExit(f"FAIL the server does not start\n{self.log.read_text()[-2000:]}")
            time.sleep(0.02)
        self.address = found[1]


def worker(client: Client) -> Worker:
    return Worker(client, task_queue=QUEUE, workflows=[Waits], activities=[step],
                  workflow_runner=UnsandboxedWorkflowRunner(), graceful_shutdown_timeout=timedelta(0))


async def all_runs(client: Client) -> dict[str, dict]:
    """Run id to workflow id, status and history."""
    runs = {}
    async for run in client.list_workflows():
        request = rpc.GetWorkflowExecutionHistoryRequest(
            namespace=NAMESPACE, execution=WorkflowExecution(workflow_id=run.id, run_id=run.run_id))
        answer = await client.workflow_service.get_workflow_execution_history(request)
        runs[run.run_id] = {"id": run.id, "status": run.status.name,
                            "customer": run.typed_search_attributes.get(Customer),
                            "history": base64.b64encode(answer.history.SerializeToString()).decode()}
    return runs


async def eventually(what: str, holds) -> None:
    end = time.monotonic() + 30
    while not await holds():
        if time.monotonic() > end:
            raise SystemExit(f"FAIL after 30 s it does not hold that {what}")
        await asyncio.sleep(0.05)


# ---- making one -----------------------------------------------------------------------------------------------------


async def has_event(handle, kind: str) -> bool:
    wanted = EventType.Value(f"EVENT_TYPE_{kind}")
    return any(event.event_type == wanted for event in (await handle.fetch_history()).events)


async def begin(client: Client, name: str, how: str, **more):
    named = TypedSearchAttributes([SearchAttributePair(Customer, f"customer of {name}")])
    return await client.start_workflow(Waits.run, args=[how, 0], id=name, task_queue=QUEUE, memo={"who": name},
                                       search_attributes=named, **more)


async def live(client: Client, norn: str, address: str) -> None:
    for part in (1, 2):
        async with worker(client):
            for again in (1, 2):  # the second takes the id of a closed run
                await (await begin(client, f"done-{part}", "done")).result()
            handles = {how: await begin(client, f"{how}-{part}", how) for how in ("timer", "signal", "continued")}
            retried = await begin(client, f"retried-{part}", "retried")
            await handles["signal"].signal(Waits.go, "first")
            await eventually("a timer runs", lambda: has_event(handles["timer"], "TIMER_STARTED"))

            async def went_on() -> bool:
                newest = await client.get_workflow_handle(f"continued-{part}").describe()
                return newest.run_id != handles["continued"].first_execution_run_id

            async def failed_once() -> bool:
                pending = (await retried.describe()).raw_description.pending_activities
                return bool(pending) and pending[0].attempt == 2

            await eventually("one run continued as new", went_on)
            await eventually("an activity waits for its second attempt", failed_once)
            canceled = await begin(client, f"canceled-{part}", "signal")
            activity_done, ended = "ACTIVITY_TASK_COMPLETED", "WORKFLOW_EXECUTION_CANCELED"
            await eventually("it waits", lambda: has_event(canceled, activity_done))
            await canceled.cancel()
            await eventually("it is canceled", lambda: has_event(canceled, ended))
            await asyncio.sleep(0.5)  # the last workflow tasks
        for name in (f"queued-{part}", f"terminated-{part}"):
            await begin(client, name, "done")
        await begin(client, f"cron-{part}", "done", cron_schedule="@every 1m")
        await client.get_workflow_handle(f"terminated-{part}").terminate("no more")
        await client.get_workflow_handle(f"signal-{part}").signal(Waits.go, "second")
        if part == 1:
            subprocess.run([norn, "checkpoint", "--address", address], check=True)


async def make(norn: str, folder: Path) -> None:
    global attempts_fail
    attempts_fail = True
    server = Server(norn, folder)
    try:
        client = await Client.connect(server.address, namespace=NAMESPACE)
        register = rpc.RegisterNamespaceRequest(namespace=NAMESPACE, description="its runs are kept")
        register.workflow_execution_retention_period.FromTimedelta(timedelta(days=365 * 100))
        await client.workflow_service.register_namespace(register)
        await client.operator_service.add_search_attributes(
            AddSearchAttributesRequest(namespace=NAMESPACE, search_attributes={"Customer": 2}))
        await live(client, norn, server.address)
        expected = await all_runs(client)
    finally:
        server.process.kill()
        server.process.wait()
    (folder / "expected.json").write_text(json.dumps(expected, indent=1) + "\n")
    for name in ("LOCK", "reserve"):
        (folder / name).unlink()
    server.log.unlink()


# ---- opening one ----------------------------------------------------------------------------------------------------


def compare(expected: dict[str, dict], found: dict[str, dict]) -> None:
    """Timers that are due may have added events already."""
    for run_id, old in expected.items():
        name = f"{old['id']} {run_id}"
        if run_id not in found:
            raise SystemExit(f"FAIL {name} is missing")
        new, open_before = found[run_id], old["status"] == "RUNNING"
        before, after = (History.FromString(base64.b64decode(run["history"])).events for run in (old, new))
        if (old["status"], old["customer"]) != (new["status"], new["customer"]):
            raise SystemExit(f"FAIL {name}: {new['status']} {new['customer']}, was {old['status']} {old['customer']}")
        if list(before) != list(after)[: len(before)] or (not open_before and len(after) != len(before)):
            raise SystemExit(f"FAIL {name}: its history is another one")
    if extra := [run["id"] for run_id, run in found.items() if run_id not in expected]:
        raise SystemExit(f"FAIL there are runs that were not: {extra}")


async def go_on(client: Client) -> None:
    async with worker(client):
        for part in (1, 2):
            wanted = {f"timer-{part}": ["timer at attempt 1"], f"retried-{part}": ["retried at attempt 2"],
                      f"queued-{part}": ["done at attempt 1"],
                      f"signal-{part}": ["signal at attempt 1", "first", "second", "end"],
                      f"continued-{part}": ["continued at attempt 1", "end"]}
            seen = await client.get_workflow_handle(f"signal-{part}").query(Waits.seen)
            if seen != ["first", "second"]:
                raise SystemExit(f"FAIL signal-{part} answers the query with {seen}")
            for how in ("signal", "continued"):
                await client.get_workflow_handle(f"{how}-{part}").signal(Waits.go, "end")
            for name, result in wanted.items():
                got = await asyncio.wait_for(client.get_workflow_handle(name).result(), 30)
                if got != result:
                    raise SystemExit(f"FAIL {name} has the result {got}, wanted {result}")

            async def cron_ran() -> bool:
                runs = [run.status.name async for run in client.list_workflows(f"WorkflowId = 'cron-{part}'")]
                return sorted(runs) == ["CONTINUED_AS_NEW", "RUNNING"] or sorted(runs) == ["COMPLETED", "RUNNING"]

            await eventually("the cron workflow ran", cron_ran)


async def check_newest(client: Client) -> None:
    """An id alone means its newest run."""
    for part in (1, 2):
        newest = (await client.get_workflow_handle(f"done-{part}").describe()).run_id
        runs = [run async for run in client.list_workflows(f"WorkflowId = 'done-{part}'")]
        if newest != max(runs, key=lambda run: run.start_time).run_id:
            raise SystemExit(f"FAIL done-{part} without a run id is not its newest run")


async def open_it(norn: str, folder: Path) -> None:
    expected = json.loads((folder / "expected.json").read_text())
    for round in ("the crashed folder", "and again, by its own journal"):
        server = Server(norn, folder)
        try:
            client = await Client.connect(server.address, namespace=NAMESPACE)
            if round == "the crashed folder":
                compare(expected, await all_runs(client))
                await check_newest(client)
                await go_on(client)
                expected = await all_runs(client)
            else:
                compare(expected, await all_runs(client))
        except RPCError as error:
            raise SystemExit(f"FAIL {round}: {error}\n{server.log.read_text()[-2000:]}")
        finally:
            server.process.send_signal(signal.SIGKILL)
            server.process.wait()
        print(f"PASS {round}: {len(expected)} runs")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=["make", "open"])
    parser.add_argument("--norn", required=True)
    parser.add_argument("--folder", type=Path, required=True)
    args = parser.parse_args()
    asyncio.run((make if args.what == "make" else open_it)(args.norn, args.folder))
    sys.stdout.flush()


if __name__ == "__main__":
    main()
