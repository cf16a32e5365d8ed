"""The demo: one order, from stock to delivery, as a durable workflow.

    python order.py [--address 127.0.0.1:7233] [--id order-1001]

The workflow reserves stock, charges a card (the bank's first answer is an error, so the charge is tried again), waits
for the customer's confirmation (a signal), and ships after a short timer.  If it is cancelled, the stock is given
back and the money is returned.  Kill and restart the server at any time: the order goes on where it was.
Prints what happens, and last a line `workflow-id: ID`.
"""

import argparse
import asyncio
import logging
import uuid
from dataclasses import dataclass
from datetime import timedelta

from temporalio import activity, workflow
from temporalio.client import Client
from temporalio.common import RetryPolicy
from temporalio.exceptions import ApplicationError
from temporalio.worker import Worker


@dataclass
class Order:
    id: str
    item: str
    quantity: int
    cents: int


def say(text: str) -> None:
    print(f"  {text}", flush=True)


@activity.defn
async def reserve_stock(order: Order) -> str:
    say(f"stock     {order.quantity} x {order.item} reserved")
    return f"reservation-{order.id}"


@activity.defn
async def charge_card(order: Order) -> str:
    attempt = activity.info().attempt
    if attempt == 1:
        say("payment   attempt 1: the bank does not answer; the server will have it tried again")
        raise ApplicationError("the bank does not answer", type="BankUnavailable")
    say(f"payment   attempt {attempt}: {order.cents / 100:.2f} EUR charged")
    return f"payment-{order.id}"


@activity.defn
async def ship(order: Order) -> str:
    say("delivery  parcel handed over")
    return f"parcel-{order.id}"


@activity.defn
async def undo(step: str) -> None:
    say(f"undo      {step}")


@workflow.defn
class OrderWorkflow:
    def __init__(self) -> None:
        self.status = "new"
        self.confirmed = False

    @workflow.run
    async def run(self, order: Order) -> str:
        done: list[str] = []
        limits = {
            "start_to_close_timeout": timedelta(seconds=30),
            "retry_policy": RetryPolicy(initial_interval=timedelta(milliseconds=500)),
        }
        try:
            self.status = "reserving stock"
            done.append(await workflow.execute_activity(reserve_stock, order, **limits))
            self.status = "charging the card"
            done.append(await workflow.execute_activity(charge_card, order, **limits))
            self.status = "waiting for the confirmation"
            await workflow.wait_condition(lambda: self.confirmed)
            self.status = "packing"
            await asyncio.sleep(1)
            self.status = "shipping"
            parcel = await workflow.execute_activity(ship, order, **limits)
        except BaseException:
            for step in reversed(done):
                await asyncio.shield(workflow.execute_activity(undo, step, **limits))
            raise
        self.status = "delivered"
        return parcel

    @workflow.signal
    def confirm(self) -> None:
        self.confirmed = True

    @workflow.query
    def current_status(self) -> str:
        return self.status


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--address", default="127.0.0.1:7233")
    parser.add_argument("--namespace", default="default")
    parser.add_argument("--id", default=f"order-{uuid.uuid4().hex[:8]}")
    args = parser.parse_args()
    logging.getLogger("temporalio").setLevel(logging.CRITICAL)  # no traceback for the failure that is meant
    client = await Client.connect(args.address, namespace=args.namespace)
    activities = [reserve_stock, charge_card, ship, undo]
    async with Worker(client, task_queue="orders", workflows=[OrderWorkflow], activities=activities):
        print(f"Order {args.id} at {args.address}", flush=True)
        order = Order(args.id, "walnut bookshelf", 1, 24900)
        handle = await client.start_workflow(OrderWorkflow.run, order, id=args.id, task_queue="orders")
        while (status := await handle.query(OrderWorkflow.current_status)) != "waiting for the confirmation":
            await asyncio.sleep(0.1)
        say(f"order     {status}")
        await handle.signal(OrderWorkflow.confirm)
        say("customer  confirms; packing takes a second")
        say(f"order     done: {await handle.result()}")
    print(f"workflow-id: {args.id}", flush=True)
    await asyncio.sleep(0.2)  # the SDK's threads end; without, Python may crash at exit (temporalio/sdk-python#300)


if __name__ == "__main__":
    asyncio.run(main())
