"""What the server's first scope leaves out: off unless --later is given."""

import asyncio
import uuid
from datetime import timedelta

from temporalio import workflow
from temporalio.api.workflowservice.v1 import request_response_pb2 as rpc
from temporalio.client import (
    Schedule,
    ScheduleActionStartWorkflow,
    ScheduleIntervalSpec,
    ScheduleSpec,
    WithStartWorkflowOperation,
    WorkflowFailureError,
    WorkflowUpdateFailedError,
)
from temporalio.common import RetryPolicy, WorkflowIDConflictPolicy
from temporalio.exceptions import ApplicationError, CancelledError

from harness import Test, attributes, check, equal, notation, scenario


@workflow.defn
class Retried:
    @workflow.run
    async def run(self, succeed_at: int) -> int:
        if workflow.info().attempt < succeed_at:
            raise ApplicationError("not yet")
        return workflow.info().attempt


@scenario(later=True)
async def workflow_retry_policy(t: Test):
    retry = RetryPolicy(initial_interval=timedelta(milliseconds=200), backoff_coefficient=1.0, maximum_attempts=3)
    async with t.worker([Retried]):
        handle = await t.start(Retried.run, 3, retry_policy=retry)
        equal(await handle.result(), 3)
        first = t.client.get_workflow_handle(handle.id, run_id=handle.result_run_id)
        events = await t.history(first, "Started S St C Failed")
        check(attributes(events[4]).new_execution_run_id, "new_execution_run_id")
        try:
            await t.run(Retried.run, 9, retry_policy=retry, suffix="-2")
            raise AssertionError("no failure")
        except WorkflowFailureError as e:
            equal(str(e.cause), "not yet")


@scenario(later=True)
async def cron(t: Test):
    async with t.worker([Retried]):
        handle = await t.start(Retried.run, 1, cron_schedule="@every 1s")

        async def ran_twice() -> None:
            first = await t.events(t.client.get_workflow_handle(handle.id, run_id=handle.result_run_id))
            check(notation(first).endswith("Completed"), notation(first))
            check((await t.client.get_workflow_handle(handle.id).describe()).run_id != handle.result_run_id, "one run")

        await t.soon(ran_twice)
        await t.client.get_workflow_handle(handle.id).terminate()


@workflow.defn
class Parent:
    @workflow.run
    async def run(self, kind: str) -> str:
        child = await workflow.start_child_workflow(Child.run, kind, id=workflow.info().workflow_id + "-child")
        if kind == "signal":
            await child.signal(Child.go, "from the parent")
        if kind == "cancel":
            child.cancel()
        try:
            return await child
        except Exception as e:
            return type(getattr(e, "cause", e)).__name__


@workflow.defn
class Child:
    def __init__(self) -> None:
        self.word = ""

    @workflow.run
    async def run(self, kind: str) -> str:
        if kind == "fail":
            raise ApplicationError("child")
        if kind in ("signal", "cancel"):
            await workflow.wait_condition(lambda: self.word)
        return self.word or "child"

    @workflow.signal
    def go(self, word: str) -> None:
        self.word = word


@scenario(later=True)
async def child_workflows(t: Test):
    async with t.worker([Parent, Child]):
        handle = await t.start(Parent.run, "plain", suffix="-plain")
        equal(await handle.result(), "child")
        text = notation(await t.events(handle))
        check("StartChildWorkflowExecutionInitiated" in text and "ChildWorkflowExecutionCompleted" in text, text)
        equal(await t.run(Parent.run, "signal", suffix="-signal"), "from the parent")
        equal(await t.run(Parent.run, "fail", suffix="-fail"), "ApplicationError")
        equal(await t.run(Parent.run, "cancel", suffix="-cancel"), CancelledError.__name__)


@workflow.defn
class Updatable:
    def __init__(self) -> None:
        self.total = 0

    @workflow.run
    async def run(self) -> int:
        await workflow.wait_condition(lambda: self.total >= 10)
        return self.total

    @workflow.update
    async def add(self, n: int) -> int:
        await asyncio.sleep(0.01)
        self.total += n
        return self.total

    @add.validator
    def check_add(self, n: int) -> None:
        if n < 0:
            raise ApplicationError("negative")


@scenario(later=True)
async def updates(t: Test):
    async with t.worker([Updatable]):
        handle = await t.start(Updatable.run)
        equal(await handle.execute_update(Updatable.add, 3), 3)
        try:
            await handle.execute_update(Updatable.add, -1)
            raise AssertionError("an update was not rejected")
        except WorkflowUpdateFailedError as e:
            equal(str(e.cause), "negative")
        equal(await handle.execute_update(Updatable.add, 7), 10)
        equal(await handle.result(), 10)
        start = WithStartWorkflowOperation(
            Updatable.run, id=t.id("-2"), task_queue=t.queue, id_conflict_policy=WorkflowIDConflictPolicy.FAIL
        )
        equal(await t.client.execute_update_with_start_workflow(Updatable.add, 10, start_workflow_operation=start), 10)
        equal(await (await start.workflow_handle()).result(), 10)


@scenario(later=True)
async def reset(t: Test):
    async with t.worker([Retried]):
        handle = await t.start(Retried.run, 1)
        await handle.result()
        answer = await t.service.reset_workflow_execution(
            rpc.ResetWorkflowExecutionRequest(
                namespace=t.namespace,
                workflow_execution=t.execution(handle),
                workflow_task_finish_event_id=4,
                request_id=str(uuid.uuid4()),
                reason="test",
            )
        )
        again = t.client.get_workflow_handle(handle.id, run_id=answer.run_id)
        equal(await again.result(), 1)
    await t.history(again, "Started S St F S St C Completed")


@scenario(later=True, limit=120)  # Temporal deletes after up to a minute
async def count_and_delete(t: Test):
    async with t.worker([Retried]):
        handle = await t.start(Retried.run, 1)
        await handle.result()

    async def counted(n: int) -> None:
        query = f"WorkflowId = '{handle.id}' AND ExecutionStatus = 'Completed'"
        equal((await t.client.count_workflows(query)).count, n)

    await t.soon(lambda: counted(1))
    await t.service.delete_workflow_execution(
        rpc.DeleteWorkflowExecutionRequest(namespace=t.namespace, workflow_execution=t.execution(handle))
    )
    await t.soon(lambda: counted(0), 80)


@scenario(later=True)
async def schedules(t: Test):
    async with t.worker([Retried]):
        action = ScheduleActionStartWorkflow(Retried.run, 1, id=t.id("-run"), task_queue=t.queue)
        spec = ScheduleSpec(intervals=[ScheduleIntervalSpec(every=timedelta(seconds=1))])
        handle = await t.client.create_schedule(t.id(), Schedule(action=action, spec=spec))

        async def ran() -> None:
            check((await handle.describe()).info.num_actions >= 2, "no two actions")

        await t.soon(ran)
        await handle.delete()
