"""Load on a server that is backed up, and the check of a server on the copy.

    backup.py load --address A --ledger FILE --norn PATH --backup DIR
    backup.py check --address A --ledger FILE

`load` starts workflows and signals them, some with a worker that completes them, some whose worker never comes. When
enough was acknowledged, it runs `norn backup` while the load goes on; FILE gets what was acknowledged before the backup
began. `check` wants all of that, and lets a worker bring the open ones to their end.
"""

import argparse
import asyncio
import json
import os
import sys

from temporalio import workflow
from temporalio.client import Client, WorkflowExecutionDescription, WorkflowExecutionStatus, WorkflowHandle
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

BEFORE = 400  # acknowledged signals when the backup begins


@workflow.defn
class Sum:
    """Ends when it got three signals."""

    def __init__(self) -> None:
        self.values: list[int] = []

    @workflow.signal
    def add(self, value: int) -> None:
        self.values.append(value)

    @workflow.run
    async def run(self) -> int:
        await workflow.wait_condition(lambda: len(self.values) >= 3)
        return sum(self.values)


def worker(client: Client, queue: str) -> Worker:
    return Worker(client, task_queue=queue, workflows=[Sum], workflow_runner=UnsandboxedWorkflowRunner())


class Load:
    def __init__(self, client: Client) -> None:
        self.client = client
        self.acknowledged: dict[str, dict] = {}
        self.signals = self.started = 0
        self.stop = False

    async def run(self, lane: int) -> None:
        while not self.stop:
            self.started += 1
            number = self.started
            served = number % 2 == 0
            handle = await self.client.start_workflow(
                Sum.run, id=f"sum-{number}", task_queue="served" if served else "later"
            )
            entry = self.acknowledged[handle.id] = {"run": handle.first_execution_run_id, "signals": 0}
            # Every third run that nobody serves keeps two signals: the copy's server gets the last one.
            for value in range(3 if served or number % 3 else 2):
                await handle.signal(Sum.add, number + value)
                entry["signals"] += 1
                self.signals += 1


async def load(args: argparse.Namespace) -> None:
    client = await Client.connect(args.address)
    async with worker(client, "served"):
        load = Load(client)
        lanes = [asyncio.create_task(load.run(lane)) for lane in range(16)]
        while load.signals < BEFORE:
            await asyncio.sleep(0.01)
            for lane in lanes:
                if lane.done():
                    lane.result()
        with open(args.ledger, "w") as ledger:
            json.dump(load.acknowledged, ledger)
        before = load.signals
        backup = await asyncio.create_subprocess_exec(args.norn, "backup", args.backup, "--address", args.address)
        status = await backup.wait()
        during = load.signals - before
        load.stop = True
        await asyncio.gather(*lanes)
    if status != 0:
        sys.exit(f"FAIL norn backup: exit code {status}")
    print(f"PASS backup under load: {before} signals were acknowledged before it, {during} more while it ran")


async def settled(handle: WorkflowHandle) -> WorkflowExecutionDescription:
    """When no workflow task is under way: while one is, signals wait beside the history.  A task that the old server's
    worker had must time out first."""
    for _ in range(600):
        description = await handle.describe()
        if not description.raw_description.HasField("pending_workflow_task"):
            return description
        await asyncio.sleep(0.1)
    raise AssertionError(f"{handle.id} has a workflow task that does not end")


async def check_one(client: Client, id: str, entry: dict) -> None:
    handle = client.get_workflow_handle(id, run_id=entry["run"])
    description = await settled(handle)
    history = [event async for event in handle.fetch_history_events()]
    signals = sum(event.HasField("workflow_execution_signaled_event_attributes") for event in history)
    assert signals >= entry["signals"], f"{id} has {signals} signals, {entry['signals']} were acknowledged"
    number = int(id.split("-")[1])
    if description.status == WorkflowExecutionStatus.RUNNING:
        for value in range(signals, 3):
            await handle.signal(Sum.add, number + value)
    result = await handle.result()
    assert result == 3 * number + 3, f"{id} has result {result}"


async def check(args: argparse.Namespace) -> None:
    client = await Client.connect(args.address)
    with open(args.ledger) as ledger:
        acknowledged = json.load(ledger)
    async with worker(client, "served"), worker(client, "later"):
        await asyncio.gather(*(check_one(client, id, entry) for id, entry in acknowledged.items()))
        fresh = await client.start_workflow(Sum.run, id="sum-fresh", task_queue="later")
        for value in (1, 2, 3):
            await fresh.signal(Sum.add, value)
        assert await fresh.result() == 6
    print(f"PASS the copy: {len(acknowledged)} workflows are there and went on to their end")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=["load", "check"])
    parser.add_argument("--address", required=True)
    parser.add_argument("--ledger", required=True)
    parser.add_argument("--norn")
    parser.add_argument("--backup")
    args = parser.parse_args()
    asyncio.run(asyncio.wait_for({"load": load, "check": check}[args.what](args), 100))
    sys.stdout.flush()
    os._exit(0)  # the SDK's threads may crash the interpreter while it ends


if __name__ == "__main__":
    main()
