"""Workflow and activity tasks seen from the wire: each task is polled and answered by hand, so that the order is exact.

The letters in the comments are those of the canonical histories in the description of the API.
"""

import asyncio

from temporalio.api.common.v1 import Payload, WorkflowExecution
from temporalio.api.enums.v1 import TimeoutType, WorkflowTaskFailedCause
from temporalio.api.query.v1 import WorkflowQuery
from temporalio.api.workflowservice.v1 import request_response_pb2 as rpc
from temporalio.service import RPCStatusCode

from harness import (
    Test,
    activity_command,
    attributes,
    check,
    command,
    complete_command,
    duration,
    equal,
    notation,
    rpc_error,
    scenario,
    timer_command,
)


@scenario()
async def raw_activity_with_retry(t: Test):  # a
    handle = await t.start_raw()
    sticky = t.id("-sticky")
    task = await t.poll()
    equal((task.previous_started_event_id, task.started_event_id, task.attempt), (0, 3, 1))
    equal(notation(task.history.events), "Started S St")
    await t.complete(task, activity_command("a", t.queue, heartbeat_timeout=duration(5)), sticky=sticky)
    activity = await t.poll_activity()
    equal((activity.attempt, activity.activity_id, activity.workflow_execution.workflow_id), (1, "a", handle.id))
    equal(activity.start_to_close_timeout.seconds, 10)
    await t.service.respond_activity_task_failed(
        rpc.RespondActivityTaskFailedRequest(namespace=t.namespace, task_token=activity.task_token, identity="raw")
    )
    activity = await t.poll_activity()
    equal(activity.attempt, 2)
    sticky_poll = asyncio.create_task(t.poll(sticky))  # a sticky queue without a poller would be passed over
    await asyncio.sleep(1)
    await t.complete_activity(activity, "done")
    task = await sticky_poll
    equal((task.previous_started_event_id, task.started_event_id), (3, 9))
    equal(notation(task.history.events), "C ActivityScheduled ActivityStarted ActivityCompleted S St")
    equal(task.history.events[0].event_id, 4, "first event on the sticky queue")
    await t.complete(task, complete_command("end"), sticky=sticky)
    events = await t.history(
        handle, "Started S St C ActivityScheduled ActivityStarted ActivityCompleted S St C Completed"
    )
    equal(attributes(events[5]).attempt, 2)
    equal(attributes(events[7]).task_queue.name, sticky, "the second task's queue")
    with rpc_error(RPCStatusCode.NOT_FOUND):
        await t.complete_activity(activity, "again")
    with rpc_error(RPCStatusCode.NOT_FOUND):
        await t.complete(task)


@scenario()
async def raw_buffered_signal(t: Test):  # b
    handle = await t.start_raw()
    task = await t.poll()
    await handle.signal("add", "one")
    equal(notation(await t.events(handle)), "Started S St", "the signal waits for the task's end")
    await t.complete(task, timer_command("1", 60))
    await t.history(handle, "Started S St C TimerStarted Signaled S")
    task = await t.poll()
    equal(task.attempt, 1)
    await t.complete(task, complete_command())
    await t.history(handle, "Started S St C TimerStarted Signaled S St C Completed")


@scenario()
async def raw_unhandled_command(t: Test):  # c
    handle = await t.start_raw()
    task = await t.poll()
    await handle.signal("add", "one")
    with rpc_error(RPCStatusCode.INVALID_ARGUMENT, "UnhandledCommand"):
        await t.complete(task, complete_command())
    events = await t.history(handle, "Started S St F Signaled S")
    equal(attributes(events[3]).cause, WorkflowTaskFailedCause.WORKFLOW_TASK_FAILED_CAUSE_UNHANDLED_COMMAND)
    task = await t.poll()
    equal((task.attempt, task.previous_started_event_id), (1, 0))
    await t.complete(task, complete_command())
    await t.history(handle, "Started S St F Signaled S St C Completed")


@scenario()
async def raw_transient_tasks(t: Test):  # d
    handle = await t.start_raw()
    for attempt in (1, 2, 3):
        task = await t.poll(timeout=20)
        equal((task.attempt, task.started_event_id), (attempt, 3 if attempt == 1 else 6))
        equal(notation(task.history.events), "Started S St" if attempt == 1 else "Started S St F S St")
        if attempt < 3:
            await t.fail(task)
    await t.complete(task, complete_command())
    events = await t.history(handle, "Started S St F S St C Completed")
    equal(attributes(events[4]).attempt, 3, "attempt")


@scenario()
async def raw_signal_between_attempts(t: Test):  # d, second half
    handle = await t.start_raw()
    await t.fail(await t.poll())
    await handle.signal("add", "one")
    task = await t.poll()
    equal(notation(task.history.events), "Started S St F Signaled S St")
    equal(task.attempt, 1, "attempt")
    await t.complete(task, complete_command())
    await t.history(handle, "Started S St F Signaled S St C Completed")


@scenario()
async def raw_sticky_worker_gone(t: Test):  # e
    known = asyncio.create_task(t.poll(t.id("-sticky")))
    await asyncio.sleep(1)
    known.cancel()
    handle = await t.start_raw()
    await t.complete(await t.poll(), timer_command("1", 0.1), sticky=t.id("-sticky"))
    task = await t.poll()
    equal(notation(task.history.events), "Started S St C TimerStarted TimerFired S T S St")
    equal(task.previous_started_event_id, 3)
    await t.complete(task, complete_command())
    events = await t.events(handle)
    equal(attributes(events[6]).task_queue.name, t.id("-sticky"))
    timed_out = attributes(events[7])
    equal((timed_out.scheduled_event_id, timed_out.started_event_id), (7, 0))
    equal(timed_out.timeout_type, TimeoutType.TIMEOUT_TYPE_SCHEDULE_TO_START)


@scenario()
async def raw_sticky_queue_never_polled(t: Test):
    handle = await t.start_raw()
    await t.complete(await t.poll(), timer_command("1", 0.1), sticky=t.id("-sticky"))
    task = await t.poll(timeout=5)
    equal(notation(task.history.events), "Started S St C TimerStarted TimerFired S St")
    await t.complete(task, complete_command())
    await t.history(handle, "Started S St C TimerStarted TimerFired S St C Completed")


@scenario()
async def raw_sticky_task_fails(t: Test):  # f
    handle = await t.start_raw()
    sticky = t.id("-sticky")
    await t.complete(await t.poll(), timer_command("1", 0.1), sticky=sticky)
    await t.fail(await t.poll(sticky))
    task = await t.poll()
    equal(notation(task.history.events), "Started S St C TimerStarted TimerFired S St F S St")
    await t.complete(task, complete_command())
    events = await t.events(handle)
    equal(attributes(events[6]).task_queue.name, sticky)
    equal(attributes(events[9]).task_queue.name, t.queue, "the queue after the failure")


@scenario()
async def raw_cancel_queued_activity(t: Test):  # i
    handle = await t.start_raw()
    task = await t.poll()
    await t.complete(task, activity_command("a", t.id("-no-worker")), timer_command("1", 0.1))
    task = await t.poll()
    await t.complete(task, command("request_cancel_activity_task", scheduled_event_id=5))
    events = await t.history(
        handle,
        "Started S St C ActivityScheduled TimerStarted TimerFired S St C ActivityCancelRequested ActivityCanceled S",
    )
    equal((attributes(events[11]).scheduled_event_id, attributes(events[11]).started_event_id), (5, 0))
    await handle.terminate()


@scenario()
async def raw_terminate(t: Test):  # k
    started = await t.start_raw()
    task = await t.poll()
    await started.signal("add", "one")
    await started.terminate()
    events = await t.history(started, "Started S St F Signaled Terminated")
    equal(attributes(events[3]).cause, WorkflowTaskFailedCause.WORKFLOW_TASK_FAILED_CAUSE_FORCE_CLOSE_COMMAND)
    with rpc_error(RPCStatusCode.NOT_FOUND):
        await t.complete(task, complete_command())

    scheduled = await t.start_raw("-2")
    await scheduled.terminate()
    await t.history(scheduled, "Started S Terminated")

    transient = await t.start_raw("-3")
    await t.fail(await t.poll())
    await t.poll()
    await transient.terminate()
    await t.history(transient, "Started S St F Terminated")


@scenario()
async def raw_task_timeout(t: Test):
    handle = await t.start_raw(workflow_task_timeout=duration(1))
    old = await t.poll()
    task = await t.poll()
    equal((notation(task.history.events), task.attempt), ("Started S St T S St", 2))
    timed_out = attributes(task.history.events[3])
    equal((timed_out.started_event_id, timed_out.timeout_type), (3, TimeoutType.TIMEOUT_TYPE_START_TO_CLOSE))
    with rpc_error(RPCStatusCode.NOT_FOUND):
        await t.complete(old, complete_command())
    await t.complete(task, complete_command())
    await t.history(handle, "Started S St T S St C Completed")


@scenario()
async def raw_new_task_with_the_answer(t: Test):
    handle = await t.start_raw()
    task = await t.poll()
    answer = await t.complete(
        task, sticky=t.id("-sticky"), return_new_workflow_task=True, force_create_new_workflow_task=True
    )
    check(answer.workflow_task.task_token, "the answer has no new task")
    equal(notation(answer.workflow_task.history.events), "C S St")
    await t.complete(answer.workflow_task, complete_command())
    await t.history(handle, "Started S St C S St C Completed")


@scenario()
async def raw_bad_commands(t: Test):
    cases = [
        (timer_command("", 1), "BAD_START_TIMER_ATTRIBUTES"),
        (activity_command("", t.queue), "BAD_SCHEDULE_ACTIVITY_ATTRIBUTES"),
        (activity_command("a", t.queue, start_to_close_timeout=duration(0)), "BAD_SCHEDULE_ACTIVITY_ATTRIBUTES"),
        (command("request_cancel_activity_task", scheduled_event_id=99), "BAD_REQUEST_CANCEL_ACTIVITY_ATTRIBUTES"),
        (command("cancel_timer", timer_id="none"), "BAD_CANCEL_TIMER_ATTRIBUTES"),
    ]
    for n, (bad, cause) in enumerate(cases):
        handle = await t.start_raw(f"-{n}")
        task = await t.poll()
        with rpc_error(RPCStatusCode.INVALID_ARGUMENT, "^Bad.*Attributes: "):
            await t.complete(task, bad)
        events = await t.events(handle)
        check(notation(events).startswith("Started S St F"), f"case {n}: {notation(events)}")
        equal(
            WorkflowTaskFailedCause.Name(attributes(events[3]).cause).removeprefix("WORKFLOW_TASK_FAILED_CAUSE_"),
            cause,
            f"case {n}",
        )
        await handle.terminate()


@scenario()
async def raw_eager_activity(t: Test):
    handle = await t.start_raw()
    task = await t.poll()
    answer = await t.complete(task, activity_command("a", t.queue, request_eager_execution=True))
    equal(len(answer.activity_tasks), 1, "activity tasks in the answer")
    equal(answer.activity_tasks[0].activity_id, "a")
    await t.complete_activity(answer.activity_tasks[0], 1)
    await t.complete(await t.poll(), complete_command())
    await t.history(handle, "Started S St C ActivityScheduled ActivityStarted ActivityCompleted S St C Completed")


@scenario()
async def raw_activity_then_more_while_task_runs(t: Test):
    handle = await t.start_raw()
    await t.complete(await t.poll(), activity_command("a", t.queue), activity_command("b", t.queue))
    one, two = await t.poll_activity(), await t.poll_activity()
    await t.complete_activity(one, 1)
    task = await t.poll()
    await t.complete_activity(two, 2)
    await handle.signal("add", "x")
    await t.complete(task)
    prefix = "Started S St C ActivityScheduled ActivityScheduled ActivityStarted ActivityCompleted S St C "
    await t.history(handle, prefix + "ActivityStarted Signaled ActivityCompleted S")
    task = await t.poll()
    await t.complete(task, complete_command())
    events = await t.events(handle)
    equal({attributes(e).scheduled_event_id for e in events if e.event_type == 12}, {5, 6}, "completed activities")


@scenario()
async def raw_query_with_task(t: Test):
    handle = await t.start_raw()
    task = await t.poll()
    await t.complete(task, sticky=t.id("-sticky"))
    sticky_poll = asyncio.create_task(t.poll(t.id("-sticky")))
    await asyncio.sleep(1)
    query = asyncio.create_task(
        t.service.query_workflow(
            rpc.QueryWorkflowRequest(
                namespace=t.namespace, execution=t.execution(handle), query=WorkflowQuery(query_type="state")
            )
        )
    )
    task = await sticky_poll
    equal(task.query.query_type, "state", "a legacy query task")
    equal(len(task.history.events), 0, "events with a query on the sticky queue")
    answer = Payload(metadata={"encoding": b"binary/plain"}, data=b"fine")
    request = rpc.RespondQueryTaskCompletedRequest(namespace=t.namespace, task_token=task.task_token, completed_type=1)
    request.query_result.payloads.append(answer)
    await t.service.respond_query_task_completed(request)
    equal((await query).query_result.payloads[0], answer)
    await t.history(handle, "Started S St C")
    await handle.terminate()


@scenario()
async def raw_heartbeats(t: Test):
    handle = await t.start_raw()
    await t.complete(await t.poll(), activity_command("a", t.queue, heartbeat_timeout=duration(5)))
    activity = await t.poll_activity()
    beat = rpc.RecordActivityTaskHeartbeatRequest(namespace=t.namespace, task_token=activity.task_token)
    beat.details.payloads.append(Payload(data=b"1"))
    check(not (await t.service.record_activity_task_heartbeat(beat)).cancel_requested, "cancel_requested")
    await handle.cancel()
    await t.complete(await t.poll(), command("request_cancel_activity_task", scheduled_event_id=5))
    check((await t.service.record_activity_task_heartbeat(beat)).cancel_requested, "cancel_requested is not set")
    await t.service.respond_activity_task_canceled(
        rpc.RespondActivityTaskCanceledRequest(namespace=t.namespace, task_token=activity.task_token)
    )
    await t.complete(await t.poll(), command("cancel_workflow_execution"))
    await t.history(
        handle,
        "Started S St C ActivityScheduled CancelRequested S St C ActivityCancelRequested "
        "ActivityStarted ActivityCanceled S St C Canceled",
    )
    with rpc_error(RPCStatusCode.NOT_FOUND):
        await t.service.record_activity_task_heartbeat(beat)


@scenario()
async def raw_bad_tokens(t: Test):
    for token in (b"", b"garbage"):
        with rpc_error(RPCStatusCode.INVALID_ARGUMENT):
            await t.service.respond_workflow_task_completed(
                rpc.RespondWorkflowTaskCompletedRequest(namespace=t.namespace, task_token=token)
            )
        with rpc_error(RPCStatusCode.INVALID_ARGUMENT):
            await t.service.respond_activity_task_completed(
                rpc.RespondActivityTaskCompletedRequest(namespace=t.namespace, task_token=token)
            )


@scenario()
async def raw_continue_as_new(t: Test):  # l
    first = await t.start_raw()
    request = t.start_request()
    task = await t.poll()
    await t.complete(
        task,
        command(
            "continue_as_new_workflow_execution",
            workflow_type=request.workflow_type,
            task_queue=request.task_queue,
            workflow_run_timeout=duration(60),
        ),
    )
    events = await t.history(first, "Started S St C ContinuedAsNew")
    second = t.client.get_workflow_handle(first.id, run_id=attributes(events[4]).new_execution_run_id)
    task = await t.poll()
    equal(task.workflow_execution, WorkflowExecution(workflow_id=second.id, run_id=second.run_id))
    started = attributes(task.history.events[0])
    equal(started.initiator, 1, "initiator")
    equal(started.workflow_run_timeout.seconds, 60)
    await t.complete(task, complete_command())
    await t.history(second, "Started S St C Completed")


@scenario()
async def raw_eager_start(t: Test):  # o
    answer = await t.service.start_workflow_execution(t.start_request(request_eager_execution=True))
    handle = t.client.get_workflow_handle(t.id(), run_id=answer.run_id)
    if not answer.eager_workflow_task.task_token:
        info = await t.service.get_system_info(rpc.GetSystemInfoRequest())
        check(not info.capabilities.eager_workflow_start, "eager_workflow_start is advertised, but no task comes")
        return await handle.terminate()
    equal(notation(answer.eager_workflow_task.history.events), "Started S St")
    await t.complete(answer.eager_workflow_task, complete_command())
    events = await t.history(handle, "Started S St C Completed")
    check(attributes(events[0]).eager_execution_accepted, "eager_execution_accepted")


@scenario()
async def raw_many_pollers_one_task(t: Test):
    polls = [asyncio.create_task(t.poll(timeout=3)) for _ in range(5)]
    await asyncio.sleep(0.2)
    handle = await t.start_raw()
    done, waiting = await asyncio.wait(polls, timeout=2, return_when=asyncio.FIRST_COMPLETED)
    equal(len(done), 1, "pollers that got the task")
    await asyncio.sleep(0.3)
    equal(sum(p.done() for p in polls), 1, "pollers that got the task")
    for p in waiting:
        p.cancel()
    await asyncio.gather(*polls, return_exceptions=True)
    await t.complete(done.pop().result(), complete_command())
    await t.history(handle, "Started S St C Completed")
