"""Load for record.sh: a worker of the Python SDK and workflows with an activity, a timer, a signal, a query.

    record.py --address HOST:PORT [--seconds N] [--bytes N] [--until-refused]

Each workflow's input has N random bytes. With --until-refused the load goes on until the server is gone.
Prints how many workflows completed; exit status 1 when one did not.
"""

import argparse
import asyncio
import base64
import os
import sys
import time
from datetime import timedelta

from temporalio import activity, workflow
from temporalio.client import Client
from temporalio.worker import UnsandboxedWorkflowRunner, Worker


@activity.defn
async def length(text: str) -> int:
    return len(text)


@workflow.defn
class Recorded:
    def __init__(self) -> None:
        self.signals = 0

    @workflow.run
    async def run(self, text: str) -> int:
        await asyncio.sleep(0.05)
        count = await workflow.execute_activity(length, text, start_to_close_timeout=timedelta(seconds=30))
        await workflow.wait_condition(lambda: self.signals > 0)
        return count

    @workflow.signal
    async def go(self) -> None:
        self.signals += 1

    @workflow.query
    def seen(self) -> int:
        return self.signals


async def one(client: Client, name: str, size: int) -> None:
    text = base64.b64encode(os.urandom(size * 3 // 4)).decode()
    handle = await client.start_workflow(Recorded.run, text, id=name, task_queue="recorded")
    await handle.query(Recorded.seen)
    await handle.signal(Recorded.go)
    assert await handle.result() == len(text)


async def client_of(address: str, name: str, size: int, end: float) -> int:
    client = await Client.connect(address)
    done = 0
    while time.monotonic() < end:
        await one(client, f"{name}-{done}", size)
        done += 1
    return done


async def load(args: argparse.Namespace) -> int:
    end = time.monotonic() + (3600 if args.until_refused else args.seconds)
    client = await Client.connect(args.address)
    run = os.urandom(4).hex()
    async with Worker(
        client, task_queue="recorded", workflows=[Recorded], activities=[length],
        workflow_runner=UnsandboxedWorkflowRunner(),
    ):
        return sum(await asyncio.gather(*(client_of(args.address, f"{run}-{i}", args.bytes, end) for i in range(4))))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--address", required=True)
    parser.add_argument("--seconds", type=float, default=4)
    parser.add_argument("--bytes", type=int, default=1000)
    parser.add_argument("--until-refused", action="store_true")
    args = parser.parse_args()
    done = asyncio.run(load(args))
    print(f"{done} workflows completed")
    sys.stdout.flush()
    os._exit(0 if done else 1)  # the SDK's threads may outlive the interpreter


main()
