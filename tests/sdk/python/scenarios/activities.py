"""Activities: retries, the four timeouts, heartbeats, cancellation, asynchronous completion, local activities."""

import asyncio
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from temporalio import activity, workflow
from temporalio.api.enums.v1 import PendingActivityState, RetryState, TimeoutType
from temporalio.client import AsyncActivityCancelledError, WorkflowFailureError
from temporalio.common import RetryPolicy
from temporalio.exceptions import ActivityError, ApplicationError, CancelledError
from temporalio.service import RPCStatusCode
from temporalio.workflow import ActivityCancellationType

from harness import Second, Test, attributes, check, equal, notation, rpc_error, scenario

ONE_ACTIVITY = "Started S St C ActivityScheduled ActivityStarted ActivityCompleted S St C Completed"
FAILED_ACTIVITY = "Started S St C ActivityScheduled ActivityStarted ActivityFailed S St C Failed"
Quick = RetryPolicy(initial_interval=timedelta(milliseconds=100), backoff_coefficient=1.0)
Once = RetryPolicy(maximum_attempts=1)


@dataclass
class Call:
    """One activity with its options; the durations are seconds, 0 for unset."""

    name: str
    arg: Any = None
    queue: str = ""
    start_to_close: float = 0
    schedule_to_close: float = 0
    schedule_to_start: float = 0
    heartbeat: float = 0
    attempts: int = 0
    interval: float = 0.1
    non_retryable: str = ""


@workflow.defn
class OneActivity:
    @workflow.run
    async def run(self, call: Call) -> Any:
        seconds = lambda n: timedelta(seconds=n) if n else None  # noqa: E731
        return await workflow.execute_activity(
            call.name,
            args=[] if call.arg is None else [call.arg],
            task_queue=call.queue or None,
            start_to_close_timeout=seconds(call.start_to_close or (0 if call.schedule_to_close else 10)),
            schedule_to_close_timeout=seconds(call.schedule_to_close),
            schedule_to_start_timeout=seconds(call.schedule_to_start),
            cancellation_type=ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
            heartbeat_timeout=seconds(call.heartbeat),
            retry_policy=RetryPolicy(
                initial_interval=timedelta(seconds=call.interval),
                backoff_coefficient=1.0,
                maximum_attempts=call.attempts,
                non_retryable_error_types=[call.non_retryable] if call.non_retryable else None,
            ),
        )


async def activity_failure(t: Test, call: Call, suffix: str = "") -> tuple[Any, ActivityError]:
    handle = await t.start(OneActivity.run, call, suffix=suffix)
    try:
        await handle.result()
    except WorkflowFailureError as e:
        assert isinstance(e.cause, ActivityError), repr(e.cause)
        return handle, e.cause
    raise AssertionError("no failure")


@activity.defn
async def fail_until(attempt: int) -> int:
    info = activity.info()
    if info.attempt < attempt:
        raise ApplicationError(f"attempt {info.attempt} fails", "detail", type="Flaky")
    return info.attempt


@scenario()
async def activity_retry(t: Test):
    async with t.worker([OneActivity], [fail_until]):
        handle = await t.start(OneActivity.run, Call("fail_until", 3))
        equal(await handle.result(), 3, "attempt")
    events = await t.history(handle, ONE_ACTIVITY)
    started = attributes(events[5])
    equal((started.attempt, started.scheduled_event_id), (3, 5), "attempt in ActivityTaskStarted")
    equal(started.last_failure.message, "attempt 2 fails", "last_failure")
    equal(started.last_failure.application_failure_info.type, "Flaky", "last_failure's type")
    await t.replay(handle, OneActivity)


@scenario()
async def activity_retry_ends(t: Test):
    async with t.worker([OneActivity], [fail_until]):
        handle, error = await activity_failure(t, Call("fail_until", 9, attempts=2))
        equal(error.retry_state.name, "MAXIMUM_ATTEMPTS_REACHED")
        equal((error.cause.message, list(error.cause.details)), ("attempt 2 fails", ["detail"]))
        events = await t.history(handle, FAILED_ACTIVITY)
        equal(attributes(events[6]).retry_state, RetryState.RETRY_STATE_MAXIMUM_ATTEMPTS_REACHED)
        _, error = await activity_failure(t, Call("fail_until", 9, non_retryable="Flaky"), "-2")
        equal((error.retry_state.name, error.cause.message), ("NON_RETRYABLE_FAILURE", "attempt 1 fails"))
        _, error = await activity_failure(t, Call("not_registered", attempts=1), "-3")
        equal(error.cause.type, "NotFoundError", "type of the error for an unknown activity")


@activity.defn
async def next_delay() -> float:
    if activity.info().attempt == 1:
        raise ApplicationError("later", next_retry_delay=timedelta(milliseconds=300))
    return (activity.info().started_time - activity.info().scheduled_time).total_seconds()


@scenario()
async def activity_next_retry_delay(t: Test):
    async with t.worker([OneActivity], [next_delay]):
        started = asyncio.get_running_loop().time()
        await t.run(OneActivity.run, Call("next_delay", interval=60), rpc_timeout=30 * Second)
        waited = asyncio.get_running_loop().time() - started
    check(0.3 <= waited < 20, f"the retry came after {waited:.1f} s, the activity asked for 0.3 s")


@activity.defn
async def heartbeats() -> list[Any]:
    info = activity.info()
    if info.attempt == 1:
        activity.heartbeat("step", 7)
        raise ApplicationError("after a heartbeat")
    return list(info.heartbeat_details)


@scenario()
async def heartbeat_details(t: Test):
    async with t.worker([OneActivity], [heartbeats]):
        handle = await t.start(OneActivity.run, Call("heartbeats", heartbeat=5))
        equal(await handle.result(), ["step", 7], "details in attempt 2")
    await t.history(handle, ONE_ACTIVITY)


@activity.defn
async def stall() -> list[Any]:
    info = activity.info()
    if info.attempt == 1:
        activity.heartbeat("last")
        await asyncio.sleep(60)
    return [info.attempt, *info.heartbeat_details]


@scenario()
async def heartbeat_timeout(t: Test):
    async with t.worker([OneActivity], [stall]):
        handle = await t.start(OneActivity.run, Call("stall", heartbeat=1))
        equal(await handle.result(), [2, "last"], "attempt and details after the heartbeat timeout")
        started = attributes((await t.history(handle, ONE_ACTIVITY))[5])
        equal(started.last_failure.timeout_failure_info.timeout_type, TimeoutType.TIMEOUT_TYPE_HEARTBEAT)


@activity.defn
async def sleep_long() -> None:
    await asyncio.sleep(60)


@scenario()
async def activity_timeouts(t: Test):
    timed_out = "Started S St C ActivityScheduled {}ActivityTimedOut S St C Failed"
    unpolled = t.id("-no-worker")
    cases = [
        ("START_TO_CLOSE", Call("sleep_long", start_to_close=1, attempts=1), "ActivityStarted "),
        ("HEARTBEAT", Call("sleep_long", heartbeat=1, attempts=1), "ActivityStarted "),
        ("SCHEDULE_TO_START", Call("sleep_long", queue=unpolled, schedule_to_start=1), ""),
        ("SCHEDULE_TO_CLOSE", Call("sleep_long", schedule_to_close=1, attempts=1), "ActivityStarted "),
        ("START_TO_CLOSE", Call("sleep_long", start_to_close=0.5, attempts=2), "ActivityStarted "),
    ]

    async def one(n: int, kind: str, call: Call, started: str) -> None:
        handle, error = await activity_failure(t, call, f"-{n}")
        equal(error.cause.type.name if error.cause.type else None, kind, f"case {n}")
        events = await t.history(handle, timed_out.format(started))
        failure = attributes(events[-5]).failure.timeout_failure_info
        equal(failure.timeout_type, TimeoutType.Value("TIMEOUT_TYPE_" + kind), f"case {n}, in the history")
        if started:
            equal(attributes(events[5]).attempt, call.attempts, f"case {n}: attempt")
            wanted = "TIMEOUT" if kind == "SCHEDULE_TO_CLOSE" else "MAXIMUM_ATTEMPTS_REACHED"
            equal(error.retry_state.name, wanted, f"case {n}: retry_state")

    async with t.worker([OneActivity], [sleep_long]):
        await asyncio.gather(*(one(n, *case) for n, case in enumerate(cases)))


@scenario()
async def schedule_to_close_while_backing_off(t: Test):
    async with t.worker([OneActivity], [fail_until]):
        started = asyncio.get_running_loop().time()
        handle, error = await activity_failure(t, Call("fail_until", 9, schedule_to_close=2, interval=1.2))
        waited = asyncio.get_running_loop().time() - started
    check(waited < 15, f"took {waited:.1f} s")
    equal(error.retry_state.name, "TIMEOUT")
    check("Activity" in notation(await t.events(handle)), "history")


@workflow.defn
class CancelActivity:
    """Cancels an activity when it is told to, and reports how that ended."""

    def __init__(self) -> None:
        self.stop = False

    @workflow.run
    async def run(self, kind: int, queue: str) -> str:
        handle = workflow.start_activity(
            "until_cancelled",
            task_queue=queue or None,
            start_to_close_timeout=20 * Second,
            heartbeat_timeout=5 * Second,
            retry_policy=Once,
            cancellation_type=ActivityCancellationType(kind),
        )
        await workflow.wait_condition(lambda: self.stop)
        handle.cancel()
        try:
            return f"completed {await handle}"
        except asyncio.CancelledError:
            return "abandoned"
        except ActivityError as e:
            return type(e.cause).__name__

    @workflow.signal
    def cancel_it(self) -> None:
        self.stop = True


running_activities: set[str] = set()


@activity.defn
async def until_cancelled() -> str:
    info = activity.info()
    running_activities.add(info.workflow_id)
    try:
        while True:
            activity.heartbeat("alive")
            await asyncio.sleep(0.1)
    except asyncio.CancelledError:
        running_activities.discard(info.workflow_id)
        if info.workflow_id.endswith("ignore"):
            return "anyway"
        raise


async def cancel_one(t: Test, kind: ActivityCancellationType, suffix: str, queue: str = ""):
    handle = await t.start(CancelActivity.run, int(kind), queue, suffix=suffix)

    async def is_running() -> None:
        check(handle.id in running_activities, "the activity does not start")

    if not queue:
        await t.soon(is_running)
    else:
        await t.history_soon(handle, "Started S St C ActivityScheduled")
    await handle.signal(CancelActivity.cancel_it)
    return handle, await handle.result()


@scenario()
async def activity_cancel_by_heartbeat(t: Test):
    Kind = ActivityCancellationType
    prefix = "Started S St C ActivityScheduled Signaled S St C "
    async with t.worker([CancelActivity], [until_cancelled]):
        handle, result = await cancel_one(t, Kind.WAIT_CANCELLATION_COMPLETED, "-wait")
        equal(result, "CancelledError")
        events = await t.history(
            handle, prefix + "ActivityCancelRequested ActivityStarted ActivityCanceled S St C Completed"
        )
        cancelled = attributes(events[11])
        equal((cancelled.scheduled_event_id, cancelled.started_event_id, cancelled.latest_cancel_requested_event_id), (5, 11, 10))
        handle, result = await cancel_one(t, Kind.WAIT_CANCELLATION_COMPLETED, "-ignore")
        equal(result, "completed anyway", "an activity that completes though it was cancelled")
        handle, result = await cancel_one(t, Kind.TRY_CANCEL, "-try")
        equal(result, "CancelledError")
        await t.history(handle, prefix + "ActivityCancelRequested Completed")
        handle, result = await cancel_one(t, Kind.ABANDON, "-abandon")
        equal(result in ("CancelledError", "abandoned"), True, result)
        await t.history(handle, prefix + "Completed")


@scenario()
async def activity_cancel_in_queue(t: Test):
    async with t.worker([CancelActivity]):
        handle, result = await cancel_one(
            t, ActivityCancellationType.WAIT_CANCELLATION_COMPLETED, "", queue=t.id("-no-worker")
        )
    equal(result, "CancelledError")
    events = await t.history(
        handle,
        "Started S St C ActivityScheduled Signaled S St C ActivityCancelRequested ActivityCanceled S St C Completed",
    )
    equal(attributes(events[10]).started_event_id, 0, "started_event_id")


@scenario()
async def activity_of_closed_workflow(t: Test):
    async with t.worker([CancelActivity], [until_cancelled]):
        handle = await t.start(CancelActivity.run, 1, "")

        async def is_running(wanted: bool) -> None:
            check((handle.id in running_activities) == wanted, f"the activity runs: {not wanted}")

        await t.soon(lambda: is_running(True))
        await handle.terminate()
        await t.soon(lambda: is_running(False))


async_tokens: dict[str, bytes] = {}


@activity.defn
async def complete_later() -> str:
    info = activity.info()
    async_tokens[info.workflow_id] = info.task_token
    activity.raise_complete_async()


async def start_async(t: Test, suffix: str):
    handle = await t.start(OneActivity.run, Call("complete_later", start_to_close=20, heartbeat=10), suffix=suffix)

    async def is_open() -> None:
        check(handle.id in async_tokens, "the activity does not start")

    await t.soon(is_open)
    events = await t.events(handle)
    return handle, attributes(events[4]).activity_id


@scenario()
async def async_completion(t: Test):
    async with t.worker([OneActivity], [complete_later]):
        handle, _ = await start_async(t, "-token")
        by_token = t.client.get_async_activity_handle(task_token=async_tokens[handle.id])
        await by_token.heartbeat("beat")
        pending = (await handle.describe()).raw_description.pending_activities[0]
        equal(len(pending.heartbeat_details.payloads), 1, "heartbeat details in describe")
        await by_token.complete("by token")
        equal(await handle.result(), "by token")
        await t.history(handle, ONE_ACTIVITY)
        with rpc_error(RPCStatusCode.NOT_FOUND):
            await by_token.complete("twice")

        handle, activity_id = await start_async(t, "-id")
        by_id = t.client.get_async_activity_handle(
            workflow_id=handle.id, run_id=handle.result_run_id, activity_id=activity_id
        )
        await by_id.heartbeat("beat")
        await by_id.complete("by id")
        equal(await handle.result(), "by id")

        handle, activity_id = await start_async(t, "-fail")
        by_id = t.client.get_async_activity_handle(workflow_id=handle.id, run_id=None, activity_id=activity_id)
        await by_id.fail(ApplicationError("by id", non_retryable=True))
        try:
            await handle.result()
            raise AssertionError("no failure")
        except WorkflowFailureError as e:
            equal(e.cause.cause.message, "by id")

        handle, activity_id = await start_async(t, "-cancel")
        by_id = t.client.get_async_activity_handle(workflow_id=handle.id, run_id=None, activity_id=activity_id)
        await handle.cancel()

        async def told() -> None:
            try:
                await by_id.heartbeat()
            except AsyncActivityCancelledError:
                return
            raise AssertionError("the heartbeat's answer does not ask to cancel")

        await t.soon(told)
        await by_id.report_cancellation()
        try:
            await handle.result()
            raise AssertionError("no failure")
        except WorkflowFailureError as e:
            check(isinstance(e.cause, CancelledError), repr(e.cause))

        missing = t.client.get_async_activity_handle(workflow_id=handle.id, run_id=None, activity_id="none")
        with rpc_error(RPCStatusCode.NOT_FOUND):
            await missing.complete()


@scenario()
async def describe_pending_activity(t: Test):
    async with t.worker([OneActivity], [fail_until, until_cancelled]):
        handle = await t.start(OneActivity.run, Call("until_cancelled", heartbeat=5), memo={"colour": "blue"})

        async def described() -> Any:
            d = await handle.describe()
            pending = list(d.raw_description.pending_activities)
            check(pending and pending[0].heartbeat_details.payloads, "no pending activity with details")
            return d, pending[0]

        d, pending = await t.soon(described)
        equal(pending.state, PendingActivityState.PENDING_ACTIVITY_STATE_STARTED)
        equal((pending.attempt, pending.activity_type.name), (1, "until_cancelled"))
        equal((d.workflow_type, d.task_queue, d.status.name), ("OneActivity", t.queue, "RUNNING"))
        equal(await d.memo_value("colour"), "blue")
        equal((d.id, d.run_id), (handle.id, handle.result_run_id))
        check(d.raw_description.execution_config.default_workflow_task_timeout.seconds == 10, "task timeout")
        await handle.terminate()

        retrying = await t.start(OneActivity.run, Call("fail_until", 9, interval=30), suffix="-2")

        async def backing_off() -> None:
            pending = (await retrying.describe()).raw_description.pending_activities
            check(pending and pending[0].attempt == 2, "attempt 2 is not pending")
            equal(pending[0].state, PendingActivityState.PENDING_ACTIVITY_STATE_SCHEDULED)
            equal(pending[0].last_failure.message, "attempt 1 fails")

        await t.soon(backing_off)
        await retrying.terminate()


@workflow.defn
class LocalActivities:
    @workflow.run
    async def run(self, seconds: float) -> int:
        attempt = await workflow.execute_local_activity(
            fail_until, 3, schedule_to_close_timeout=5 * Second, retry_policy=Quick
        )
        await workflow.execute_local_activity(wait, seconds, schedule_to_close_timeout=20 * Second)
        return attempt


@activity.defn
async def wait(seconds: float) -> None:
    await asyncio.sleep(seconds)


@scenario()
async def local_activities(t: Test):
    async with t.worker([LocalActivities], [fail_until, wait]):
        handle = await t.start(LocalActivities.run, 0.0)
        equal(await handle.result(), 3, "attempt")
        events = await t.history(handle, "Started S St C * MarkerRecorded * MarkerRecorded Completed")
        equal(attributes(events[-2]).marker_name, "core_local_activity")
        await t.replay(handle, LocalActivities)

        # One that outlives the workflow task: the SDK completes the task early and asks for another.
        handle = await t.start(LocalActivities.run, 3.0, suffix="-long", task_timeout=2 * Second)
        await handle.result()
        text = notation(await t.events(handle))
        check(text.count(" S St C") >= 2 and text.endswith("MarkerRecorded Completed"), text)
        check(" T" not in text.replace(" Timer", ""), f"a workflow task timed out: {text}")
        await t.replay(handle, LocalActivities)


@scenario()
async def activity_payload_limit(t: Test):
    async with t.worker([OneActivity], [too_large]):
        handle, error = await activity_failure(t, Call("too_large", attempts=1))
        check(isinstance(error.cause, ApplicationError), repr(error.cause))


@activity.defn
async def too_large() -> str:
    return "x" * 2_200_000


@scenario(alone=True, limit=60)
async def activities_100_in_one_workflow(t: Test):
    async with t.worker([ManyActivities], [fail_until], max_cached_workflows=0):
        handle = await t.start(ManyActivities.run, 100)
        equal(await handle.result(), 100)
    names = notation(await t.events(handle)).split()
    equal(names.count("ActivityCompleted"), 100, "ActivityCompleted events")
    await t.replay(handle, ManyActivities)


@workflow.defn
class ManyActivities:
    @workflow.run
    async def run(self, n: int) -> int:
        calls = [
            workflow.execute_activity(fail_until, 1 + i % 2, start_to_close_timeout=20 * Second, retry_policy=Quick)
            for i in range(n)
        ]
        return len(await asyncio.gather(*calls))
