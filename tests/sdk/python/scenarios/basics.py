"""Workflows as users write them: results, timers, signals, queries, continue-as-new, cancel, terminate, failures."""

import asyncio
from datetime import timedelta

from temporalio import activity, workflow
from temporalio.api.enums.v1 import RetryState
from temporalio.api.workflowservice.v1 import request_response_pb2 as rpc
from temporalio.client import (
    WorkflowContinuedAsNewError,
    WorkflowExecutionStatus,
    WorkflowFailureError,
    WorkflowQueryFailedError,
    WorkflowQueryRejectedError,
)
from temporalio.common import QueryRejectCondition
from temporalio.exceptions import ApplicationError, CancelledError, TerminatedError, TimeoutError
from temporalio.service import RPCError, RPCStatusCode
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner, SandboxRestrictions

from harness import Second, Test, attributes, check, equal, notation, rpc_error, scenario

ONE_ACTIVITY = "Started S St C ActivityScheduled ActivityStarted ActivityCompleted S St C Completed"


@activity.defn
async def greet(name: str) -> str:
    return f"Hello, {name}!"


@workflow.defn
class Hello:
    @workflow.run
    async def run(self, name: str) -> str:
        return await workflow.execute_activity(greet, name, start_to_close_timeout=10 * Second)


@scenario()
async def hello(t: Test):
    sandbox = SandboxedWorkflowRunner(SandboxRestrictions.default.with_passthrough_modules("harness", "scenarios"))
    async with t.worker([Hello], [greet], workflow_runner=sandbox):
        handle = await t.start(Hello.run, "Norn")
        equal(await handle.result(), "Hello, Norn!")
    events = await t.history(handle, ONE_ACTIVITY)
    started = attributes(events[0])
    equal(started.workflow_type.name, "Hello")
    equal(started.original_execution_run_id, handle.result_run_id, "original_execution_run_id")
    equal(started.first_execution_run_id, handle.result_run_id, "first_execution_run_id")
    equal(started.attempt, 1, "attempt")
    equal(attributes(events[2]).scheduled_event_id, 2)
    equal((attributes(events[3]).scheduled_event_id, attributes(events[3]).started_event_id), (2, 3))
    equal(attributes(events[4]).workflow_task_completed_event_id, 4)
    equal((attributes(events[6]).scheduled_event_id, attributes(events[6]).started_event_id), (5, 6))
    equal(attributes(events[7]).task_queue.normal_name, t.queue, "the second task is sticky; its normal_name")
    equal(attributes(events[10]).workflow_task_completed_event_id, 10)
    description = await handle.describe()
    equal(description.status, WorkflowExecutionStatus.COMPLETED)
    equal(description.history_length, 11, "history_length")
    await t.replay(handle, Hello)


@workflow.defn
class Failing:
    @workflow.run
    async def run(self) -> None:
        try:
            raise ApplicationError("inner", 1, type="Inner")
        except ApplicationError as e:
            raise ApplicationError("outer", "detail", {"n": 2}, type="Outer", non_retryable=True) from e


@scenario()
async def workflow_failure(t: Test):
    async with t.worker([Failing]):
        handle = await t.start(Failing.run)
        try:
            await handle.result()
            raise AssertionError("no failure")
        except WorkflowFailureError as e:
            cause = e.cause
    assert isinstance(cause, ApplicationError) and isinstance(cause.cause, ApplicationError)
    equal((cause.message, cause.type, cause.non_retryable), ("outer", "Outer", True))
    equal(list(cause.details), ["detail", {"n": 2}], "details")
    equal((cause.cause.message, list(cause.cause.details)), ("inner", [1]))
    events = await t.history(handle, "Started S St C Failed")
    equal(attributes(events[4]).retry_state, RetryState.RETRY_STATE_RETRY_POLICY_NOT_SET, "retry_state")
    equal((await handle.describe()).status, WorkflowExecutionStatus.FAILED)


@workflow.defn
class Timers:
    @workflow.run
    async def run(self) -> list[int]:
        start = workflow.now()
        await asyncio.sleep(0.3)
        check((workflow.now() - start).total_seconds() >= 0.3, "workflow time stood still")
        lost = asyncio.create_task(asyncio.sleep(3600))
        fired: list[int] = []

        async def one(n: int) -> None:
            await asyncio.sleep(0.2 + n * 0.1)
            fired.append(n)

        await asyncio.gather(*(one(n) for n in (2, 0, 1)))
        lost.cancel()
        return fired


@scenario()
async def timers(t: Test):
    async with t.worker([Timers]):
        handle = await t.start(Timers.run)
        equal(await handle.result(), [0, 1, 2], "order of timers")
    events = await t.events(handle)
    check(
        notation(events).startswith(
            "Started S St C TimerStarted TimerFired S St C TimerStarted TimerStarted TimerStarted TimerStarted TimerFired"
        )
        and notation(events).endswith("TimerFired S St C TimerCanceled Completed"),
        notation(events),
    )
    fired = attributes(events[5])
    equal((fired.timer_id, fired.started_event_id), (attributes(events[4]).timer_id, 5))
    waited = events[5].event_time.ToDatetime() - events[4].event_time.ToDatetime()
    check(timedelta(seconds=0.3) <= waited < 2 * Second, f"a timer of 0.3 s took {waited}")
    await t.replay(handle, Timers)


@workflow.defn
class Collect:
    """Collects signals until one says "end"."""

    def __init__(self) -> None:
        self.seen: list[str] = []

    @workflow.run
    async def run(self) -> list[str]:
        await workflow.wait_condition(lambda: "end" in self.seen)
        return self.seen

    @workflow.signal
    def add(self, value: str) -> None:
        self.seen.append(value)

    @workflow.query
    def values(self) -> list[str]:
        return self.seen

    @workflow.query
    def broken(self) -> None:
        raise ApplicationError("query fails on purpose")


@scenario()
async def signals_in_order(t: Test):
    handle = await t.start(Collect.run)
    sent = [str(n) for n in range(20)] + ["end"]
    for value in sent:
        await handle.signal(Collect.add, value)
    async with t.worker([Collect]):
        equal(await handle.result(), sent, "signals")
    events = await t.history(handle, "Started S " + "Signaled " * 21 + "St C Completed")
    equal(attributes(events[2]).signal_name, "add")
    await t.replay(handle, Collect)


@scenario()
async def signals_to_idle(t: Test):
    async with t.worker([Collect]):
        handle = await t.start(Collect.run)
        await t.history_soon(handle, "Started S St C")
        await handle.signal(Collect.add, "one")
        await t.history_soon(handle, "Started S St C Signaled S St C")
        await handle.signal(Collect.add, "end")
        equal(await handle.result(), ["one", "end"])
    await t.history(handle, "Started S St C Signaled S St C Signaled S St C Completed")
    with rpc_error(RPCStatusCode.NOT_FOUND, "already completed"):
        await handle.signal(Collect.add, "too late")
    with rpc_error(RPCStatusCode.NOT_FOUND):
        await t.client.get_workflow_handle(t.id("-missing")).signal(Collect.add, "nobody")


@scenario()
async def signal_with_start(t: Test):
    first = await t.start(Collect.run, start_signal="add", start_signal_args=["one"])
    second = await t.start(Collect.run, start_signal="add", start_signal_args=["end"])
    equal(second.result_run_id, first.result_run_id, "run id of the second call")
    async with t.worker([Collect]):
        equal(await first.result(), ["one", "end"])
    await t.history(first, "Started Signaled S Signaled St C Completed")


@scenario()
async def queries(t: Test):
    async with t.worker([Collect]):
        handle = await t.start(Collect.run)
        equal(await handle.query(Collect.values), [], "query at the start")
        for value in ("a", "b"):
            await handle.signal(Collect.add, value)
            check(value in await handle.query(Collect.values), "a query after a signal does not see it")
        equal(await handle.query(Collect.values), ["a", "b"], "query on the sticky queue")
        for name, text in (("broken", "on purpose"), ("unknown", "unknown")):
            try:
                await handle.query(name)
                raise AssertionError(f"query {name} did not fail")
            except WorkflowQueryFailedError as e:
                check(text in str(e), str(e))
        await handle.signal(Collect.add, "end")
        await handle.result()
        equal(await handle.query(Collect.values), ["a", "b", "end"], "query after completion")
        try:
            await handle.query(Collect.values, reject_condition=QueryRejectCondition.NOT_OPEN)
            raise AssertionError("query of a closed workflow was not rejected")
        except WorkflowQueryRejectedError as e:
            equal(e.status, WorkflowExecutionStatus.COMPLETED, "status in the rejection")
    check("QUERY" not in notation(await t.events(handle)).upper(), "queries left events")


@scenario()
async def query_without_cache(t: Test):
    async with t.worker([Collect], max_cached_workflows=0):
        handle = await t.start(Collect.run, start_signal="add", start_signal_args=["a"])
        for _ in range(3):
            equal(await handle.query(Collect.values), ["a"])
        await handle.signal(Collect.add, "end")
        equal(await handle.result(), ["a", "end"])
        equal(await handle.query(Collect.values), ["a", "end"])


@scenario()
async def query_without_worker(t: Test):
    handle = await t.start(Collect.run)
    try:
        await handle.query(Collect.values, rpc_timeout=2 * Second)
        raise AssertionError("a query without a worker was answered")
    except RPCError as e:
        check(e.status in (RPCStatusCode.DEADLINE_EXCEEDED, RPCStatusCode.CANCELLED), f"{e.status}: {e}")
    await handle.terminate()


@workflow.defn
class Countdown:
    @workflow.run
    async def run(self, n: int, runs: list[str]) -> list[str]:
        runs = [*runs, workflow.info().run_id]
        if n:
            workflow.continue_as_new(args=[n - 1, runs], memo={"left": n - 1})
        return runs


@scenario()
async def continue_as_new(t: Test):
    async with t.worker([Countdown]):
        handle = await t.start(Countdown.run, 3, [])
        runs = await handle.result()
        equal(len(set(runs)), 4, "number of runs")
        equal(runs[0], handle.result_run_id)
        try:
            await handle.result(follow_runs=False)
            raise AssertionError("the first run has a result")
        except WorkflowContinuedAsNewError as e:
            equal(e.new_execution_run_id, runs[1])
    for n, run in enumerate(runs):
        one = t.client.get_workflow_handle(handle.id, run_id=run)
        events = await t.history(one, "Started S St C " + ("ContinuedAsNew" if n < 3 else "Completed"))
        started = attributes(events[0])
        equal(started.first_execution_run_id, runs[0], "first_execution_run_id")
        equal(started.original_execution_run_id, run, "original_execution_run_id")
        equal(started.continued_execution_run_id, runs[n - 1] if n else "", "continued_execution_run_id")
        if n < 3:
            equal(attributes(events[4]).new_execution_run_id, runs[n + 1], "new_execution_run_id")
            equal((await one.describe()).status, WorkflowExecutionStatus.CONTINUED_AS_NEW)
    last = await t.client.get_workflow_handle(handle.id).describe()
    equal((last.run_id, await last.memo_value("left")), (runs[3], 0), "the current run")


@activity.defn
async def clean_up(what: str) -> str:
    return f"cleaned {what}"


@workflow.defn
class Cancellable:
    def __init__(self) -> None:
        self.cleaned = ""

    @workflow.run
    async def run(self, swallow: bool) -> str:
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            self.cleaned = await workflow.execute_activity(clean_up, "up", start_to_close_timeout=10 * Second)
            if swallow:
                return self.cleaned
            raise
        return "not reached"

    @workflow.query
    def result(self) -> str:
        return self.cleaned


@scenario()
async def cancel_with_cleanup(t: Test):
    async with t.worker([Cancellable], [clean_up]):
        handle = await t.start(Cancellable.run, False)
        await t.history_soon(handle, "Started S St C TimerStarted")
        await handle.cancel()
        try:
            await handle.result()
            raise AssertionError("no failure")
        except WorkflowFailureError as e:
            check(isinstance(e.cause, CancelledError), f"cause {e.cause!r}")
        equal(await handle.query(Cancellable.result), "cleaned up")
        await handle.cancel()  # of a closed run: no error, and no event
        await t.history(
            handle,
            "Started S St C TimerStarted CancelRequested S St C TimerCanceled "
            "ActivityScheduled ActivityStarted ActivityCompleted S St C Canceled",
        )
        equal((await handle.describe()).status, WorkflowExecutionStatus.CANCELED)

        swallowed = await t.start(Cancellable.run, True, suffix="-2")
        await t.history_soon(swallowed, "Started S St C TimerStarted")
        await swallowed.cancel()
        equal(await swallowed.result(), "cleaned up")
        await t.replay(handle, Cancellable)


@scenario()
async def cancel_before_start(t: Test):
    handle = await t.start(Cancellable.run, True)
    await handle.cancel()
    await handle.cancel()
    async with t.worker([Cancellable], [clean_up]):
        try:
            await handle.result()
        except WorkflowFailureError as e:
            check(isinstance(e.cause, CancelledError), f"cause {e.cause!r}")
    names = notation(await t.events(handle)).split()
    equal(names.count("CancelRequested"), 1, "CancelRequested events")
    with rpc_error(RPCStatusCode.NOT_FOUND):
        await t.client.get_workflow_handle(t.id("-missing")).cancel()


@scenario()
async def terminate(t: Test):
    async with t.worker([Collect]):
        handle = await t.start(Collect.run)
        await t.history_soon(handle, "Started S St C")
        await handle.terminate("detail", reason="because")
        try:
            await handle.result()
            raise AssertionError("no failure")
        except WorkflowFailureError as e:
            check(isinstance(e.cause, TerminatedError), f"cause {e.cause!r}")
    events = await t.history(handle, "Started S St C Terminated")
    equal(attributes(events[4]).reason, "because")
    equal(len(attributes(events[4]).details.payloads), 1, "details")
    equal((await handle.describe()).status, WorkflowExecutionStatus.TERMINATED)
    with rpc_error(RPCStatusCode.NOT_FOUND, "already completed"):
        await handle.terminate()


@scenario()
async def run_timeout(t: Test):
    async with t.worker([Collect]):
        handle = await t.start(Collect.run, run_timeout=3 * Second)
        waiting = await t.start(Collect.run, suffix="-2", execution_timeout=3 * Second)
        for h in (handle, waiting):
            try:
                await h.result()
                raise AssertionError("no failure")
            except WorkflowFailureError as e:
                check(isinstance(e.cause, TimeoutError), f"cause {e.cause!r}")
            equal((await h.describe()).status, WorkflowExecutionStatus.TIMED_OUT)
            await t.history(h, "Started S St C TimedOut")


@scenario()
async def start_delay(t: Test):
    async with t.worker([Countdown]):
        handle = await t.start(Countdown.run, 0, [], start_delay=timedelta(seconds=1.5))
        await t.history(handle, "Started")
        await handle.result()
    events = await t.history(handle, "Started S St C Completed")
    waited = events[1].event_time.ToDatetime() - events[0].event_time.ToDatetime()
    check(timedelta(seconds=1.4) < waited < 4 * Second, f"a delay of 1.5 s took {waited}")
    equal(attributes(events[0]).first_workflow_task_backoff.ToTimedelta(), timedelta(seconds=1.5))


broken_runs: dict[str, int] = {}


@workflow.defn
class BrokenAtFirst:
    @workflow.run
    async def run(self) -> int:
        key = workflow.info().workflow_id
        broken_runs[key] = broken_runs.get(key, 0) + 1
        if broken_runs[key] < 3:
            raise RuntimeError("a bug in the workflow's code")
        return broken_runs[key]


@scenario()
async def workflow_task_failure(t: Test):
    async with t.worker([BrokenAtFirst]):
        # The SDK reports the first failure only; the second attempt runs into its timeout.
        handle = await t.start(BrokenAtFirst.run, task_timeout=Second)
        equal(await handle.result(), 3)
    events = await t.history(handle, "Started S St F S St C Completed")
    check("a bug in" in attributes(events[3]).failure.message, "failure's message")
    equal(attributes(events[4]).attempt, 3, "attempt")


@workflow.defn
class Parallel:
    @workflow.run
    async def run(self, n: int) -> int:
        name = await workflow.execute_activity(greet, str(n), start_to_close_timeout=60 * Second)
        await asyncio.sleep(0.1)
        return len(name) + n


@scenario(alone=True, limit=120)
async def parallel_200(t: Test):
    async with t.worker([Parallel], [greet], max_cached_workflows=50):
        handles = await asyncio.gather(*(t.start(Parallel.run, n, suffix=f"-{n}") for n in range(200)))
        results = await asyncio.gather(*(h.result() for h in handles))
    equal(results, [len(f"Hello, {n}!") + n for n in range(200)], "results")
    for handle in handles[::20]:
        await t.history(
            handle,
            "Started S St C ActivityScheduled ActivityStarted ActivityCompleted S * C TimerStarted TimerFired S * C Completed",
        )


@workflow.defn
class Swallow:
    @workflow.run
    async def run(self, data: str) -> str:
        return await workflow.execute_activity(double, data, start_to_close_timeout=20 * Second)


@activity.defn
async def double(data: str) -> str:
    return data[::-1]


@scenario(alone=True)
async def large_payloads(t: Test):
    data = "".join(chr(97 + n % 26) for n in range(1_900_000))
    async with t.worker([Swallow], [double], max_cached_workflows=0):
        equal(await t.run(Swallow.run, data) == data[::-1], True, "a large result is the same")
        with rpc_error(RPCStatusCode.INVALID_ARGUMENT, "(?i)exceeds"):
            await t.start(Swallow.run, data + data[:300_000], suffix="-2")


@scenario()
async def second_worker_replays(t: Test):
    handle = await t.start(Collect.run)
    async with t.worker([Collect]):
        await handle.signal(Collect.add, "one")
        equal(await handle.query(Collect.values), ["one"])
    async with t.worker([Collect]):
        await handle.signal(Collect.add, "end")
        equal(await handle.result(), ["one", "end"])
    await t.replay(handle, Collect)


@workflow.defn
class Interleaved:
    @workflow.run
    async def run(self, n: int) -> list[str]:
        result = [str(workflow.uuid4()), str(workflow.random().randint(0, 1 << 30))]
        for step in range(4):
            result.append(await workflow.execute_activity(greet, f"{n}.{step}", start_to_close_timeout=20 * Second))
            await asyncio.sleep(0.05)
            result.append(str(workflow.uuid4()))
        return result


async def evict(t: Test, cached: int) -> None:
    async with t.worker([Interleaved], [greet], max_cached_workflows=cached):
        handles = [await t.start(Interleaved.run, n, suffix=f"-{n}") for n in range(4)]
        results = await asyncio.gather(*(h.result() for h in handles))
    for n, (handle, result) in enumerate(zip(handles, results)):
        equal(result[2::2], [f"Hello, {n}.{step}!" for step in range(4)])
        equal(len(set(result)), 10, "random values")
        await t.replay(handle, Interleaved)


@scenario(limit=60)
async def sticky_eviction_cache_0(t: Test):
    await evict(t, 0)


@scenario(limit=60)
async def sticky_eviction_cache_1(t: Test):
    await evict(t, 1)


@scenario()
async def unknown_names(t: Test):
    client = await type(t.client).connect(
        t.client.service_client.config.target_host, namespace="no-such-namespace", tls=t.client.service_client.config.tls
    )
    with rpc_error(RPCStatusCode.NOT_FOUND, "(?i)namespace"):
        await client.start_workflow("x", id="x", task_queue="x")
    with rpc_error(RPCStatusCode.NOT_FOUND):
        await t.client.get_workflow_handle(t.id()).describe()
    with rpc_error(RPCStatusCode.INVALID_ARGUMENT, "Invalid RunId"):
        await t.client.get_workflow_handle(t.id(), run_id="not-a-uuid").describe()
    with rpc_error(RPCStatusCode.INVALID_ARGUMENT, "(?i)workflow ?id"):
        await t.service.start_workflow_execution(t.start_request(workflow_id=""))
    with rpc_error(RPCStatusCode.INVALID_ARGUMENT, "(?i)workflow ?type"):
        await t.service.start_workflow_execution(t.start_request(workflow_type=None))
    with rpc_error(RPCStatusCode.INVALID_ARGUMENT, "(?i)task ?queue"):
        await t.service.start_workflow_execution(t.start_request(task_queue=None))
    info = await t.service.get_system_info(rpc.GetSystemInfoRequest())
    check(info.server_version and info.capabilities.activity_failure_include_heartbeat, f"{info}")
