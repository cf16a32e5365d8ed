"""What the scenarios share: registration, workers, raw API calls, and a short notation for histories.

A history is written as event names in order, for example

    Started S St C ActivityScheduled ActivityStarted ActivityCompleted S St C Completed

S, St, C, F, T are the workflow task's Scheduled, Started, Completed, Failed and TimedOut; other names lose their
prefix WorkflowExecution, and ActivityTask becomes Activity.  Event ids must be 1, 2, 3, ...
"""

import asyncio
import contextlib
import re
import time
import uuid
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Awaitable, Callable

from google.protobuf.duration_pb2 import Duration
from temporalio.api.command.v1 import Command
from temporalio.api.common.v1 import ActivityType, Payloads, WorkflowExecution, WorkflowType
from temporalio.api.enums.v1 import CommandType, EventType
from temporalio.api.failure.v1 import Failure
from temporalio.api.history.v1 import HistoryEvent
from temporalio.api.taskqueue.v1 import StickyExecutionAttributes, TaskQueue
from temporalio.api.workflowservice.v1 import request_response_pb2 as rpc
from temporalio.client import Client, WorkflowHandle
from temporalio.converter import DataConverter
from temporalio.service import RPCError, RPCStatusCode
from temporalio.worker import Replayer, UnsandboxedWorkflowRunner, Worker

Second = timedelta(seconds=1)


@dataclass
class Scenario:
    name: str
    run: Callable[["Test"], Awaitable[None]]
    later: bool  # not in the server's first scope: off by default
    alone: bool  # loads the machine: not beside others
    limit: float  # seconds


scenarios: list[Scenario] = []


def scenario(later: bool = False, alone: bool = False, limit: float = 40):
    def register(run):
        scenarios.append(Scenario(run.__name__, run, later, alone, limit))
        return run

    return register


def check(ok: Any, message: str) -> None:
    if not ok:
        raise AssertionError(message)


def equal(actual: Any, expected: Any, what: str = "value") -> None:
    check(actual == expected, f"{what}: {actual!r}, expected {expected!r}")


def duration(seconds: float) -> Duration:
    result = Duration()
    result.FromTimedelta(timedelta(seconds=seconds))
    return result


@contextlib.contextmanager
def rpc_error(status: RPCStatusCode, text: str = ""):
    """The block must end with this gRPC error; text is a regular expression for its message."""
    try:
        yield
    except RPCError as e:
        equal(e.status.name, status.name, f"status of «{e.message}»")
        check(re.search(text, e.message), f"error message «{e.message}» does not match «{text}»")
    else:
        raise AssertionError(f"no error, expected {status.name} {text}")


_task_letters = {"SCHEDULED": "S", "STARTED": "St", "COMPLETED": "C", "FAILED": "F", "TIMED_OUT": "T"}


def short(event: HistoryEvent) -> str:
    name = EventType.Name(event.event_type).removeprefix("EVENT_TYPE_")
    if name.startswith("WORKFLOW_TASK_"):
        return _task_letters[name.removeprefix("WORKFLOW_TASK_")]
    words = name.removeprefix("WORKFLOW_EXECUTION_").replace("ACTIVITY_TASK_", "ACTIVITY_").split("_")
    return "".join(w.capitalize() for w in words)


def notation(events) -> str:
    return " ".join(short(e) for e in events)


def attributes(event: HistoryEvent):
    return getattr(event, event.WhichOneof("attributes"))


def command(kind: str, **attrs) -> Command:
    """command("complete_workflow_execution", result=...)."""
    name = "COMMAND_TYPE_" + kind.upper().removesuffix("_COMMAND")
    c = Command(command_type=CommandType.Value(name))
    getattr(c, kind + "_command_attributes").SetInParent()
    for key, value in attrs.items():
        target = getattr(c, kind + "_command_attributes")
        if isinstance(value, (str, bytes, bool, int)):
            setattr(target, key, value)
        else:
            getattr(target, key).CopyFrom(value)
    return c


def complete_command(value: Any = None) -> Command:
    payloads = DataConverter.default.payload_converter.to_payloads([value])
    return command("complete_workflow_execution", result=Payloads(payloads=payloads))


def timer_command(timer_id: str, seconds: float) -> Command:
    return command("start_timer", timer_id=timer_id, start_to_fire_timeout=duration(seconds))


def activity_command(activity_id: str, queue: str, **attrs) -> Command:
    attrs = {"start_to_close_timeout": duration(10), **attrs}
    return command(
        "schedule_activity_task",
        activity_id=activity_id,
        activity_type=ActivityType(name="raw"),
        task_queue=TaskQueue(name=queue),
        **attrs,
    )


@dataclass
class Test:
    """One run of one scenario, with ids and a task queue of its own."""

    client: Client
    name: str
    unique: str = field(default_factory=lambda: uuid.uuid4().hex[:8])

    @property
    def queue(self) -> str:
        return f"{self.name}-{self.unique}"

    @property
    def service(self):
        return self.client.workflow_service

    @property
    def namespace(self) -> str:
        return self.client.namespace

    def id(self, suffix: str = "") -> str:
        return f"{self.name}-{self.unique}{suffix}"

    def worker(self, workflows=(), activities=(), **options) -> Worker:
        options = {
            "task_queue": self.queue,
            "workflow_runner": UnsandboxedWorkflowRunner(),
            "graceful_shutdown_timeout": timedelta(),
            **options,
        }
        return Worker(self.client, workflows=workflows, activities=activities, **options)

    async def start(self, workflow, *args, suffix: str = "", **options) -> WorkflowHandle:
        options = {"id": self.id(suffix), "task_queue": self.queue, **options}
        return await self.client.start_workflow(workflow, args=args, **options)

    async def run(self, workflow, *args, **options) -> Any:
        return await (await self.start(workflow, *args, **options)).result()

    # Histories

    async def events(self, handle: WorkflowHandle) -> list[HistoryEvent]:
        events = list((await handle.fetch_history()).events)
        equal([e.event_id for e in events], list(range(1, len(events) + 1)), "event ids")
        check(all(e.HasField("event_time") for e in events), "an event has no time")
        return events

    async def history(self, handle: WorkflowHandle, expected: str) -> list[HistoryEvent]:
        """Checks the whole history's event types; «*» in the expected text stands for any events."""
        events = await self.events(handle)
        pattern = r"(\S+ )*?".join(re.escape(part.lstrip()) for part in (expected + " ").split("* "))
        check(re.fullmatch(pattern, notation(events) + " "), f"history: {notation(events)}; expected: {expected}")
        return events

    async def history_soon(self, handle: WorkflowHandle, expected: str) -> list[HistoryEvent]:
        return await self.soon(lambda: self.history(handle, expected))

    async def replay(self, handle: WorkflowHandle, *workflows) -> None:
        replayer = Replayer(workflows=workflows, workflow_runner=UnsandboxedWorkflowRunner())
        await replayer.replay_workflow(await handle.fetch_history())

    async def soon(self, probe: Callable[[], Awaitable[Any]], seconds: float = 10) -> Any:
        """Repeats the probe until it raises no AssertionError."""
        end = time.monotonic() + seconds
        while True:
            try:
                return await probe()
            except AssertionError:
                if time.monotonic() > end:
                    raise
            await asyncio.sleep(0.05)

    # Raw calls: a worker without an SDK, which decides about each single task

    def start_request(self, suffix: str = "", **options) -> rpc.StartWorkflowExecutionRequest:
        return rpc.StartWorkflowExecutionRequest(
            **{
                "namespace": self.namespace,
                "workflow_id": self.id(suffix),
                "workflow_type": WorkflowType(name="raw"),
                "task_queue": TaskQueue(name=self.queue),
                "request_id": str(uuid.uuid4()),
                "identity": "raw",
                **options,
            }
        )

    async def start_raw(self, suffix: str = "", **options) -> WorkflowHandle:
        response = await self.service.start_workflow_execution(self.start_request(suffix, **options))
        return self.client.get_workflow_handle(self.id(suffix), run_id=response.run_id)

    async def poll(self, sticky: str = "", timeout: float = 15) -> rpc.PollWorkflowTaskQueueResponse:
        queue = TaskQueue(name=sticky, kind=2, normal_name=self.queue) if sticky else TaskQueue(name=self.queue)
        request = rpc.PollWorkflowTaskQueueRequest(namespace=self.namespace, task_queue=queue, identity="raw")
        task = await self.service.poll_workflow_task_queue(request, timeout=Second * timeout)
        check(task.task_token, "the poll returned no workflow task")
        return task

    async def poll_activity(self, queue: str = "", timeout: float = 15) -> rpc.PollActivityTaskQueueResponse:
        request = rpc.PollActivityTaskQueueRequest(
            namespace=self.namespace, task_queue=TaskQueue(name=queue or self.queue), identity="raw"
        )
        task = await self.service.poll_activity_task_queue(request, timeout=Second * timeout)
        check(task.task_token, "the poll returned no activity task")
        return task

    async def complete(self, task, *commands: Command, sticky: str = "", **options):
        request = rpc.RespondWorkflowTaskCompletedRequest(
            namespace=self.namespace, task_token=task.task_token, identity="raw", commands=commands, **options
        )
        if sticky:
            request.sticky_attributes.CopyFrom(
                StickyExecutionAttributes(
                    worker_task_queue=TaskQueue(name=sticky, kind=2, normal_name=self.queue),
                    schedule_to_start_timeout=duration(1),
                )
            )
        return await self.service.respond_workflow_task_completed(request)

    async def fail(self, task, message: str = "failed by the test") -> None:
        await self.service.respond_workflow_task_failed(
            rpc.RespondWorkflowTaskFailedRequest(
                namespace=self.namespace,
                task_token=task.task_token,
                identity="raw",
                cause=7,  # WORKFLOW_WORKER_UNHANDLED_FAILURE
                failure=Failure(message=message),
            )
        )

    async def complete_activity(self, task, value: Any = None) -> None:
        payloads = DataConverter.default.payload_converter.to_payloads([value])
        await self.service.respond_activity_task_completed(
            rpc.RespondActivityTaskCompletedRequest(
                namespace=self.namespace,
                task_token=task.task_token,
                identity="raw",
                result=Payloads(payloads=payloads),
            )
        )

    def execution(self, handle: WorkflowHandle) -> WorkflowExecution:
        return WorkflowExecution(workflow_id=handle.id, run_id=handle.result_run_id or handle.run_id or "")
