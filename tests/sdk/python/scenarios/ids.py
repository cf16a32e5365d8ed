"""Workflow ids and request ids: reuse and conflict policies, and requests that are sent twice."""

import uuid

from temporalio import workflow
from temporalio.api.common.v1 import Payloads
from temporalio.api.workflowservice.v1 import request_response_pb2 as rpc
from temporalio.client import WorkflowExecutionStatus
from temporalio.common import WorkflowIDConflictPolicy as Conflict
from temporalio.common import WorkflowIDReusePolicy as Reuse
from temporalio.exceptions import ApplicationError, WorkflowAlreadyStartedError
from temporalio.service import RPCStatusCode

from harness import Test, attributes, check, equal, notation, rpc_error, scenario


@workflow.defn
class End:
    @workflow.run
    async def run(self, how: str) -> str:
        if how == "fail":
            raise ApplicationError("on purpose", non_retryable=True)
        if how == "wait":
            await workflow.wait_condition(lambda: False)
        return how


async def refused(t: Test, run_id: str, **options) -> None:
    try:
        await t.start(End.run, "ok", **options)
        raise AssertionError(f"a start with {options} was accepted")
    except WorkflowAlreadyStartedError as e:
        equal((e.workflow_id, e.run_id), (options.get("id", t.id()), run_id), "the error's ids")


@scenario()
async def id_reuse_policies(t: Test):
    async with t.worker([End]):
        first = await t.start(End.run, "ok")
        equal(await first.result(), "ok")
        await refused(t, first.result_run_id, id_reuse_policy=Reuse.REJECT_DUPLICATE)
        await refused(t, first.result_run_id, id_reuse_policy=Reuse.ALLOW_DUPLICATE_FAILED_ONLY)
        second = await t.start(End.run, "fail", id_reuse_policy=Reuse.ALLOW_DUPLICATE)
        check(second.result_run_id != first.result_run_id, "the same run id again")
        try:
            await second.result()
        except Exception:
            pass
        third = await t.start(End.run, "ok", id_reuse_policy=Reuse.ALLOW_DUPLICATE_FAILED_ONLY)
        equal(await third.result(), "ok")
        equal(await t.client.get_workflow_handle(t.id(), run_id=first.result_run_id).result(), "ok", "the first run")


@scenario()
async def id_conflict_policies(t: Test):
    first = await t.start(End.run, "wait")
    await refused(t, first.result_run_id)
    await refused(t, first.result_run_id, id_conflict_policy=Conflict.FAIL)
    same = await t.start(End.run, "ok", id_conflict_policy=Conflict.USE_EXISTING)
    equal(same.result_run_id, first.result_run_id, "run id with USE_EXISTING")
    async with t.worker([End]):
        second = await t.start(End.run, "ok", id_conflict_policy=Conflict.TERMINATE_EXISTING)
        check(second.result_run_id != first.result_run_id, "the same run id again")
        equal(await second.result(), "ok")
    old = t.client.get_workflow_handle(t.id(), run_id=first.result_run_id)
    equal((await old.describe()).status, WorkflowExecutionStatus.TERMINATED)
    with rpc_error(RPCStatusCode.INVALID_ARGUMENT):
        await t.start(End.run, "ok", id_reuse_policy=Reuse.REJECT_DUPLICATE, id_conflict_policy=Conflict.TERMINATE_EXISTING)


@scenario()
async def request_id_of_start(t: Test):
    request = t.start_request()
    first = await t.service.start_workflow_execution(request)
    check(first.started, "started is not set")
    again = await t.service.start_workflow_execution(request)
    equal(again.run_id, first.run_id, "run id of the repeated request")
    request.request_id = str(uuid.uuid4())
    with rpc_error(RPCStatusCode.ALREADY_EXISTS):
        await t.service.start_workflow_execution(request)
    handle = t.client.get_workflow_handle(t.id(), run_id=first.run_id)
    await t.complete(await t.poll())
    await handle.terminate()
    await t.history(handle, "Started S St C Terminated")


@scenario()
async def request_ids_of_signal_and_cancel(t: Test):
    handle = await t.start_raw()
    signal = rpc.SignalWorkflowExecutionRequest(
        namespace=t.namespace,
        workflow_execution=t.execution(handle),
        signal_name="add",
        request_id=str(uuid.uuid4()),
        input=Payloads(),
    )
    cancel = rpc.RequestCancelWorkflowExecutionRequest(
        namespace=t.namespace, workflow_execution=t.execution(handle), request_id=str(uuid.uuid4()), reason="why"
    )
    for _ in range(3):
        await t.service.signal_workflow_execution(signal)
        await t.service.request_cancel_workflow_execution(cancel)
    signal.request_id = str(uuid.uuid4())
    await t.service.signal_workflow_execution(signal)
    events = await t.history(handle, "Started S Signaled CancelRequested Signaled")
    equal(attributes(events[3]).cause, "why", "cause")

    start = rpc.SignalWithStartWorkflowExecutionRequest(
        namespace=t.namespace,
        workflow_id=t.id("-2"),
        workflow_type=t.start_request().workflow_type,
        task_queue=t.start_request().task_queue,
        signal_name="add",
        request_id=str(uuid.uuid4()),
    )
    runs = {(await t.service.signal_with_start_workflow_execution(start)).run_id for _ in range(3)}
    equal(len(runs), 1, "runs")
    handle = t.client.get_workflow_handle(t.id("-2"))
    equal(notation(await t.events(handle)), "Started Signaled S", "a repeated signal-with-start")
