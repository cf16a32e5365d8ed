"""What clients ask besides running workflows: lists, descriptions, namespaces, headers, metadata, many clients."""

import asyncio
import uuid
from datetime import timedelta
from typing import Any

import temporalio.api.common.v1
from temporalio import activity, workflow
from temporalio.api.workflowservice.v1 import request_response_pb2 as rpc
from temporalio.client import (
    Client,
    Interceptor,
    OutboundInterceptor,
    StartWorkflowInput,
    WorkflowExecutionStatus,
)
from temporalio.converter import DataConverter
from temporalio.service import RPCError, RPCStatusCode

from harness import Second, Test, attributes, check, duration, equal, rpc_error, scenario


@activity.defn
async def echo(value: Any) -> Any:
    return value


@workflow.defn
class Echo:
    @workflow.run
    async def run(self, value: Any) -> Any:
        return await workflow.execute_activity(
            echo, value, start_to_close_timeout=10 * Second, summary="echoes", activity_id="the-only-one"
        )


@scenario()
async def payload_types(t: Test):
    values = [None, True, 1, 1.5, "text ünï", [1, [2]], {"a": {"b": None}}, "", [], {}]
    async with t.worker([Echo], [echo]):
        for n, value in enumerate(values):
            equal(await t.run(Echo.run, value, suffix=f"-{n}"), value)


@scenario()
async def list_workflows(t: Test):
    async with t.worker([Echo], [echo]):
        done = [await t.start(Echo.run, n, suffix=f"-{n}") for n in range(5)]
        await asyncio.gather(*(h.result() for h in done))
    running = await t.start(Echo.run, 0, suffix="-running")
    mine = f"TaskQueue = '{t.queue}'"

    async def listed() -> None:
        async def ids(query: str) -> list[str]:
            return sorted([w.id async for w in t.client.list_workflows(f"{mine} AND {query}", page_size=2)])

        all_ids = sorted(h.id for h in [*done, running])
        equal(await ids("WorkflowType = 'Echo'"), all_ids)
        equal(await ids("ExecutionStatus = 'Running'"), [running.id])
        equal(await ids("ExecutionStatus = 'Completed'"), [h.id for h in done])
        equal(await ids(f"WorkflowId = '{done[2].id}'"), [done[2].id])
        equal(await ids(f"WorkflowId IN ('{done[0].id}', '{done[1].id}')"), [h.id for h in done[:2]])

    await t.soon(listed)
    async for w in t.client.list_workflows(f"WorkflowId = '{done[0].id}'"):
        equal((w.run_id, w.workflow_type, w.task_queue), (done[0].result_run_id, "Echo", t.queue))
        equal((w.status, w.history_length), (WorkflowExecutionStatus.COMPLETED, 11))
        check(w.close_time and w.start_time <= w.close_time, "times")
    with rpc_error(RPCStatusCode.INVALID_ARGUMENT):
        [w async for w in t.client.list_workflows("this is not a query")]
    await running.terminate()


@scenario()
async def metadata(t: Test):
    async with t.worker([Echo], [echo]):
        handle = await t.start(Echo.run, 1, static_summary="summary", static_details="details")
        await handle.result()
    d = await handle.describe()
    equal((await d.static_summary(), await d.static_details()), ("summary", "details"))
    events = await t.events(handle)
    equal(attributes(events[4]).activity_id, "the-only-one")
    summary = DataConverter.default.payload_converter.from_payload(events[4].user_metadata.summary)
    equal(summary, "echoes", "the activity's summary")


class AddHeader(Interceptor):
    def intercept_client(self, next: OutboundInterceptor) -> OutboundInterceptor:
        class Outbound(OutboundInterceptor):
            async def start_workflow(self, input: StartWorkflowInput):
                payload = temporalio.api.common.v1.Payload(metadata={"encoding": b"binary/plain"}, data=b"\x00\xff")
                input.headers = {**input.headers, "norn": payload}
                return await super().start_workflow(input)

        return Outbound(next)


@scenario()
async def headers(t: Test):
    config = t.client.config()
    config["interceptors"] = [AddHeader()]
    client = Client(**config)
    handle = await client.start_workflow("x", id=t.id(), task_queue=t.queue)
    header = attributes((await t.events(handle))[0]).header.fields["norn"]
    equal((header.data, dict(header.metadata)), (b"\x00\xff", {"encoding": b"binary/plain"}))
    equal((await t.poll()).history.events[0].workflow_execution_started_event_attributes.header.fields["norn"], header)
    await handle.terminate()


@scenario(limit=60)
async def namespace_of_our_own(t: Test):
    name = f"sdk-{uuid.uuid4().hex[:8]}"
    retention = duration(24 * 3600)
    register = rpc.RegisterNamespaceRequest(
        namespace=name, workflow_execution_retention_period=retention, description="for a test", owner_email="a@b.c"
    )
    await t.service.register_namespace(register)
    with rpc_error(RPCStatusCode.ALREADY_EXISTS):
        await t.service.register_namespace(register)

    async def described() -> rpc.DescribeNamespaceResponse:
        try:
            return await t.service.describe_namespace(rpc.DescribeNamespaceRequest(namespace=name))
        except RPCError as e:
            raise AssertionError(str(e))

    d = await t.soon(described)
    equal((d.namespace_info.name, d.namespace_info.description), (name, "for a test"))
    equal(d.config.workflow_execution_retention_ttl, retention)
    config = t.client.config()
    config["namespace"] = name
    mine = Test(Client(**config), t.name)

    async def run_there() -> None:
        try:
            async with mine.worker([Echo], [echo]):
                equal(await mine.run(Echo.run, "there", suffix=uuid.uuid4().hex), "there")
        except RPCError as e:
            raise AssertionError(str(e))

    await t.soon(run_there, 30)
    with rpc_error(RPCStatusCode.NOT_FOUND):
        await t.client.get_workflow_handle(mine.id()).describe()


@scenario()
async def describe_task_queue_and_cluster(t: Test):
    info = await t.service.get_cluster_info(rpc.GetClusterInfoRequest())
    check(info.server_version and info.cluster_name, f"{info}")
    async with t.worker([Echo], [echo]):
        await t.run(Echo.run, 1)


@scenario()
async def ids_with_odd_characters(t: Test):
    async with t.worker([Echo], [echo]):
        for n, odd in enumerate(["with space", "ünï/côdé", "a" * 900, "semi;colon'quote\"", "日本"]):
            handle = await t.start(Echo.run, n, id=f"{t.id()} {odd}")
            equal(await handle.result(), n)
            equal((await handle.describe()).id, handle.id)
    with rpc_error(RPCStatusCode.INVALID_ARGUMENT):
        await t.start(Echo.run, 1, id="x" * 1001)


@scenario()
async def worker_stops_while_polls_wait(t: Test):
    for _ in range(3):
        started = asyncio.get_running_loop().time()
        async with t.worker([Echo], [echo]):
            await asyncio.sleep(0.1)
        took = asyncio.get_running_loop().time() - started
        check(timedelta(seconds=took) < 10 * Second, f"stopping a worker took {took:.1f} s")


@scenario(alone=True, limit=60)
async def many_clients(t: Test):
    config = t.client.service_client.config
    clients = await asyncio.gather(
        *(Client.connect(config.target_host, namespace=t.namespace, tls=config.tls) for _ in range(30))
    )
    async with t.worker([Echo], [echo]):
        results = await asyncio.gather(
            *(c.execute_workflow(Echo.run, n, id=t.id(f"-{n}"), task_queue=t.queue) for n, c in enumerate(clients))
        )
    equal(results, list(range(30)))
