"""A first workflow: one activity, run by a worker in this same program.

    pip install temporalio             # in a virtual environment
    python hello.py [HOST:PORT]        # default: TEMPORAL_ADDRESS, else 127.0.0.1:7233
"""

import asyncio
import os
import sys
import uuid
from datetime import timedelta

from temporalio import activity, workflow
from temporalio.client import Client
from temporalio.worker import Worker


@activity.defn
async def greet(name: str) -> str:
    return f"Hello, {name}!"


@workflow.defn
class Hello:
    @workflow.run
    async def run(self, name: str) -> str:
        return await workflow.execute_activity(greet, name, start_to_close_timeout=timedelta(seconds=10))


async def main() -> None:
    address = sys.argv[1] if len(sys.argv) > 1 else os.environ.get("TEMPORAL_ADDRESS", "127.0.0.1:7233")
    try:
        client = await Client.connect(address)
    except RuntimeError as error:
        sys.exit(f"cannot connect to {address} ({error}); start the server with ./zig build run")
    async with Worker(client, task_queue="hello", workflows=[Hello], activities=[greet]):
        workflow_id = f"hello-{uuid.uuid4().hex[:8]}"
        print(await client.execute_workflow(Hello.run, "Norn", id=workflow_id, task_queue="hello"))
        print(f"norn workflow show --workflow-id {workflow_id} --address {address}")
    await asyncio.sleep(0.2)  # the SDK's threads end; without, Python may crash at exit (temporalio/sdk-python#300)


if __name__ == "__main__":
    asyncio.run(main())
