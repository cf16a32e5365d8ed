"""Reading histories: pages, reverse order, the close event, waiting for events; markers, search attributes and memo."""

import asyncio
import uuid
from datetime import timedelta
from typing import Any

from temporalio import activity, workflow
from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest
from temporalio.api.workflowservice.v1 import request_response_pb2 as rpc
from temporalio.client import WorkflowHistoryEventFilterType
from temporalio.common import SearchAttributeKey, SearchAttributePair, TypedSearchAttributes
from temporalio.service import RPCError, RPCStatusCode

from harness import Second, Test, attributes, check, complete_command, equal, notation, rpc_error, scenario, short


@activity.defn
async def blob(size: int) -> str:
    return "x" * size


@workflow.defn
class Long:
    @workflow.run
    async def run(self, activities: int, size: int) -> int:
        total = 0
        for _ in range(activities):
            total += len(await workflow.execute_activity(blob, size, start_to_close_timeout=10 * Second))
        return total


@scenario()
async def history_pages(t: Test):
    async with t.worker([Long], [blob]):
        handle = await t.start(Long.run, 4, 10)
        await handle.result()
    request = rpc.GetWorkflowExecutionHistoryRequest(
        namespace=t.namespace, execution=t.execution(handle), maximum_page_size=3
    )
    ids: list[int] = []
    pages = 0
    while True:
        page = await t.service.get_workflow_execution_history(request)
        ids += [e.event_id for e in page.history.events]
        pages += 1
        if not page.next_page_token:
            break
        request.next_page_token = page.next_page_token
    equal(ids, list(range(1, len(ids) + 1)), "event ids")
    check(pages >= 3, f"{len(ids)} events came in {pages} pages")
    request.next_page_token = b"garbage"
    with rpc_error(RPCStatusCode.INVALID_ARGUMENT, "(?i)NextPageToken"):
        await t.service.get_workflow_execution_history(request)


@scenario()
async def history_reverse(t: Test):
    async with t.worker([Long], [blob]):
        handle = await t.start(Long.run, 1, 10)
        await handle.result()
    events = await t.events(handle)
    request = rpc.GetWorkflowExecutionHistoryReverseRequest(
        namespace=t.namespace, execution=t.execution(handle), maximum_page_size=4
    )
    seen = []
    while True:
        page = await t.service.get_workflow_execution_history_reverse(request)
        seen += page.history.events
        if not page.next_page_token:
            break
        request.next_page_token = page.next_page_token
    equal(seen, events[::-1], "the reversed history")


@scenario()
async def history_close_event(t: Test):
    handle = await t.start_raw()
    request = rpc.GetWorkflowExecutionHistoryRequest(
        namespace=t.namespace, execution=t.execution(handle), wait_new_event=True, history_event_filter_type=2
    )
    wait = asyncio.create_task(t.service.get_workflow_execution_history(request, timeout=25 * Second))
    await t.complete(await t.poll(), complete_command("x"))
    answer = await wait
    equal((notation(answer.history.events), answer.next_page_token), ("Completed", b""))
    again = await t.service.get_workflow_execution_history(request)
    equal(again.history, answer.history, "the close event of a closed run")


@scenario()
async def history_follows_new_events(t: Test):
    handle = await t.start_raw()
    seen: list[str] = []

    async def follow() -> None:
        kind = WorkflowHistoryEventFilterType.ALL_EVENT
        async for event in handle.fetch_history_events(wait_new_event=True, event_filter_type=kind):
            seen.append(short(event))

    follower = asyncio.create_task(follow())
    task = await t.poll()
    await handle.signal("add", "x")
    with rpc_error(RPCStatusCode.INVALID_ARGUMENT):
        await t.complete(task, complete_command())
    await t.complete(await t.poll(), complete_command())
    await asyncio.wait_for(follower, 10)
    equal(" ".join(seen), "Started S St F Signaled S St C Completed")


@scenario(alone=True, limit=60)
async def history_of_many_megabytes(t: Test):
    async with t.worker([Long], [blob], max_cached_workflows=0):
        handle = await t.start(Long.run, 6, 1_500_000)
        equal(await handle.result(), 9_000_000)
        await t.replay(handle, Long)


@workflow.defn
class Patched:
    @workflow.run
    async def run(self) -> list[bool]:
        results = [workflow.patched("one"), workflow.patched("two"), workflow.patched("one")]
        await asyncio.sleep(0.05)
        return [*results, workflow.patched("two")]


@scenario()
async def patched_markers(t: Test):
    async with t.worker([Patched], max_cached_workflows=0):
        handle = await t.start(Patched.run)
        equal(await handle.result(), [True] * 4)
    events = await t.events(handle)
    text = notation(events)
    check(text.startswith("Started S St C MarkerRecorded UpsertWorkflowSearchAttributes MarkerRecorded"), text)
    check(text.endswith("TimerStarted TimerFired S St C Completed"), text)
    equal(attributes(events[4]).marker_name, "core_patch")
    await t.replay(handle, Patched)


Colour = SearchAttributeKey.for_keyword("NornColour")
Size = SearchAttributeKey.for_int("NornSize")


async def add_search_attributes(t: Test) -> None:
    kinds = {
        Colour.name: IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD,
        Size.name: IndexedValueType.INDEXED_VALUE_TYPE_INT,
    }
    request = AddSearchAttributesRequest(namespace=t.namespace, search_attributes=kinds)
    try:
        await t.client.operator_service.add_search_attributes(request)
    except RPCError as e:
        if e.status != RPCStatusCode.ALREADY_EXISTS:
            raise


@workflow.defn
class Upserts:
    @workflow.run
    async def run(self) -> list[Any]:
        workflow.upsert_search_attributes([Colour.value_set("red"), Size.value_set(3)])
        workflow.upsert_memo({"a": 1, "b": None, "c": "new"})
        await asyncio.sleep(0.05)
        workflow.upsert_search_attributes([Size.value_unset()])
        return [workflow.info().typed_search_attributes[Colour], sorted(workflow.memo())]


@scenario()
async def upsert_search_attributes_and_memo(t: Test):
    await add_search_attributes(t)
    start = TypedSearchAttributes([SearchAttributePair(Colour, "blue")])
    async with t.worker([Upserts]):
        handle = await t.soon(lambda: start_with(t, start))
        equal(await handle.result(), ["red", ["a", "c"]])
    await t.history(
        handle,
        "Started S St C UpsertWorkflowSearchAttributes WorkflowPropertiesModified TimerStarted TimerFired S St C "
        "UpsertWorkflowSearchAttributes Completed",
    )
    d = await handle.describe()
    equal((d.typed_search_attributes.get(Colour), d.typed_search_attributes.get(Size)), ("red", None))
    equal(await d.memo(), {"a": 1, "c": "new"})
    await t.replay(handle, Upserts)

    async def listed() -> None:
        query = f"NornColour = 'red' AND WorkflowId = '{handle.id}'"
        equal([w.id async for w in t.client.list_workflows(query)], [handle.id])

    await t.soon(listed)


async def start_with(t: Test, search_attributes: TypedSearchAttributes):
    try:
        return await t.start(Upserts.run, search_attributes=search_attributes, memo={"b": 2})
    except RPCError as e:  # a new attribute may take a moment to be known
        raise AssertionError(str(e))


@scenario()
async def unknown_search_attribute(t: Test):
    unknown = TypedSearchAttributes([SearchAttributePair(SearchAttributeKey.for_keyword("NornUnknown"), "x")])
    with rpc_error(RPCStatusCode.INVALID_ARGUMENT, "NornUnknown"):
        await t.start(Upserts.run, search_attributes=unknown)


@scenario()
async def side_effects_are_stable(t: Test):
    async with t.worker([Random], [roll, check_roll], max_cached_workflows=0):
        handle = await t.start(Random.run)
        first, second = await handle.result()
        equal(first, second, "random values before and after a replay")
    await t.replay(handle, Random)


@workflow.defn
class Random:
    def __init__(self) -> None:
        self.values: list[str] = []

    @workflow.run
    async def run(self) -> list[list[str]]:
        first = await workflow.execute_local_activity(roll, start_to_close_timeout=5 * Second)
        mine = [str(workflow.uuid4()), str(workflow.random().random()), str(workflow.now())]
        await asyncio.sleep(0.05)
        second = await workflow.execute_local_activity(check_roll, first, start_to_close_timeout=5 * Second)
        check(workflow.now() - workflow.info().start_time < timedelta(minutes=1), "workflow time")
        return [[first, *mine], [second, *mine]]


@activity.defn
async def roll() -> str:
    return str(uuid.uuid4())


@activity.defn
async def check_roll(value: str) -> str:
    return value
