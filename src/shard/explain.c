/* explain: what a run waits for, and since when, in words (`norn workflow explain`). */
#include "shard/core.h"
#include "shard/workflow_task.h"

typedef Temporal__Api__Workflowservice__V1__DescribeWorkflowExecutionRequest DescribeRequest;

static void put_text(struct buf *out, const char *text) {
    buf_append_u8(out, '"');
    for (; text && *text; text++) {
        unsigned char c = (unsigned char)*text;
        if (c == '"' || c == '\\') buf_printf(out, "\\%c", c);
        else if (c < 0x20) buf_printf(out, "\\u%04x", c);
        else buf_append_u8(out, c);
    }
    buf_append_u8(out, '"');
}

static void begin(struct buf *out, const char *what, int64_t since) {
    if (out->data[out->len - 1] != '[') buf_append_u8(out, ',');
    buf_printf(out, "{\"waits_for\":\"%s\",\"since\":%.3f", what, (double)since / SECOND_NS);
}

static void until(struct buf *out, int64_t at) {
    if (at) buf_printf(out, ",\"until\":%.3f", (double)at / SECOND_NS);
    buf_append_u8(out, '}');
}

static void explain_task(const struct exec *exec, struct buf *out) {
    const StateWorkflowTask *task = exec->task;
    if (!task) {
        if (!exec->info->first_task_at) return;
        begin(out, "its first workflow task, which is delayed", exec->start->start_time);
        until(out, exec->info->first_task_at);
        return;
    }
    begin(out, task->started_event_id ? "a worker to complete its workflow task" : "a worker to take its workflow task",
          task->started_event_id ? task->started_time : task->scheduled_time);
    buf_append_str(out, ",\"task_queue\":");
    put_text(out, task->task_queue);
    buf_printf(out, ",\"attempt\":%d", task->attempt);
    until(out, task->started_event_id   ? task->started_time + task->timeout
               : task->schedule_to_start ? task->scheduled_time + task->schedule_to_start
                                         : 0);
}

static void explain_activity(const StateActivity *activity, int64_t now, struct buf *out) {
    bool backs_off = !activity->started_time && activity->scheduled_time > now;
    begin(out, activity->started_time ? "a worker to complete an activity"
               : backs_off            ? "the next attempt of an activity"
                                      : "a worker to take an activity",
          activity->started_time ? activity->started_time
          : backs_off            ? activity->last_attempt_complete_time
                                 : activity->scheduled_time);
    buf_append_str(out, ",\"activity_id\":");
    put_text(out, activity->activity_id);
    buf_append_str(out, ",\"activity_type\":");
    put_text(out, activity->activity_type);
    buf_append_str(out, ",\"task_queue\":");
    put_text(out, activity->task_queue);
    buf_printf(out, ",\"attempt\":%d", activity->attempt);
    if (activity->last_failure) {
        buf_append_str(out, ",\"last_failure\":");
        put_text(out, activity->last_failure->message);
    }
    until(out, backs_off ? activity->scheduled_time : 0);
}

void engine_explain(struct engine *engine, struct call *call) {
    const DescribeRequest *request = (const void *)call->request;
    const WorkflowExecution *execution = request->execution;
    struct exec *exec = engine_find(engine, call, engine_explain, execution ? execution->workflow_id : "",
                                    execution ? execution->run_id : "");
    if (!exec) return;
    struct buf out = {0};
    buf_append_str(&out, "{\"workflow_id\":");
    put_text(&out, exec_workflow_id(exec));
    buf_append_str(&out, ",\"run_id\":");
    put_text(&out, exec_run_id(exec));
    buf_printf(&out, ",\"open\":%s,\"events\":%lld,\"waits\":[", exec_open(exec) ? "true" : "false",
               (long long)exec_next_event_id(exec) - 1);
    if (exec_open(exec)) {
        explain_task(exec, &out);
        ITEMS_EACH(item, exec, STATE_ACTIVITY) explain_activity(item->activity, engine_wall(engine), &out);
        ITEMS_EACH(item, exec, STATE_TIMER) {
            begin(&out, "a timer", 0);
            buf_append_str(&out, ",\"timer_id\":");
            put_text(&out, item->timer->timer_id);
            until(&out, item->timer->fire_at);
        }
        if (out.data[out.len - 1] == '[') {
            begin(&out, "a signal, a cancel request or another input", exec->info->last_event_time);
            until(&out, 0);
        }
    }
    buf_append_str(&out, "]}");
    struct bytes copy = bytes_of(arena_copy(call->arena, out.data, out.len), out.len);
    buf_free(&out);
    engine_reply_bytes(engine, exec, call, copy);
}
