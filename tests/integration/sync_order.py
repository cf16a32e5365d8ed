"""No reply leaves before its record is on the disk.

    sync_order.py --norn PATH --folder FOLDER [--loops N] [--must-fail WITH]

A server writes a trace of its writes, data syncs, receives and sends (NORN_IO_TRACE).  Clients on bare sockets make calls
that must be durable: one at a time, then many at once on several connections.  Each call carries a text of its own, so the
journal tells which flight holds its record (the first with that text), and the client knows which bytes of the connection
were its request and its answer.  So for each call, exactly, in the order of the trace:

    receive of the request's last byte < submission of the write of that flight (file, offset) < its completion
        < submission of a data sync of that file < its completion < submission of the send with the reply's first byte
"""

import argparse
import base64
import bisect
import collections
import json
import os
import re
import signal
import subprocess
import sys
import time
import uuid
from pathlib import Path

from temporalio.api.command.v1 import message_pb2 as command_pb2
from temporalio.api.common.v1 import ActivityType, Payload, Payloads, WorkflowExecution, WorkflowType
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import request_response_pb2 as rpc

from h2 import Call, Connection

ROUNDS, CONNECTIONS, BURST, BURSTS = 12, 4, 40, 6
Noted = collections.namedtuple("Noted", "what text connection call")


class Load:
    def __init__(self, address: str) -> None:
        self.connections = [Connection(address) for _ in range(CONNECTIONS)]
        self.notes: list[Noted] = []
        for i, c in enumerate(self.connections):   # tells them apart in the trace, by their length
            assert c.call("GetSystemInfo", rpc.GetSystemInfoRequest(), extra={"x-pad": "p" * (i + 1)}).good

    def text(self) -> str:
        return f"text-{uuid.uuid4().hex}"

    def begin(self, connection: Connection, path: str, text: str, request) -> Call:
        call = connection.start(path, request.SerializeToString())
        self.notes.append(Noted(path, text.encode(), connection, call))
        return call

    def durable(self, path: str, text: str, request, kind=None):
        connection = self.connections[0]
        call = self.begin(connection, path, text, request)
        connection.wait(call)
        assert call.good, path
        return call.reply(kind) if kind else None

    def start_request(self, id: str, queue: str):
        return rpc.StartWorkflowExecutionRequest(
            namespace="default", workflow_id=id, workflow_type=WorkflowType(name="W"), task_queue=TaskQueue(name=queue),
            request_id=uuid.uuid4().hex)

    def signal_request(self, id: str, text: str):
        return rpc.SignalWorkflowExecutionRequest(
            namespace="default", workflow_execution=WorkflowExecution(workflow_id=id), signal_name=text)

    def one_at_a_time(self) -> None:
        """The life of a workflow, every call alone on the server."""
        connection, queue = self.connections[0], TaskQueue(name="alone")
        for _ in range(ROUNDS):
            id, text = self.text(), self.text()
            self.durable("StartWorkflowExecution", id, self.start_request(id, "alone"))
            self.durable("SignalWorkflowExecution", text, self.signal_request(id, text))
            poll = rpc.PollWorkflowTaskQueueRequest(namespace="default", task_queue=queue)
            task = connection.call("PollWorkflowTaskQueue", poll, rpc.PollWorkflowTaskQueueResponse)
            text = self.text()
            command = command_pb2.Command(command_type=1)
            attributes = command.schedule_activity_task_command_attributes
            attributes.activity_id = text
            attributes.activity_type.CopyFrom(ActivityType(name="A"))
            attributes.task_queue.CopyFrom(queue)
            attributes.start_to_close_timeout.FromSeconds(30)
            self.durable("RespondWorkflowTaskCompleted", text, rpc.RespondWorkflowTaskCompletedRequest(
                namespace="default", task_token=task.task_token, commands=[command]))
            poll = rpc.PollActivityTaskQueueRequest(namespace="default", task_queue=queue)
            task = connection.call("PollActivityTaskQueue", poll, rpc.PollActivityTaskQueueResponse)
            text = self.text()
            self.durable("RespondActivityTaskCompleted", text, rpc.RespondActivityTaskCompletedRequest(
                namespace="default", task_token=task.task_token, result=Payloads(payloads=[Payload(data=text.encode())])))
            text = self.text()
            self.durable("TerminateWorkflowExecution", text, rpc.TerminateWorkflowExecutionRequest(
                namespace="default", workflow_execution=WorkflowExecution(workflow_id=id), reason=text))

    def many_at_once(self) -> None:
        for burst in range(BURSTS):
            begun = len(self.notes)
            for _ in range(BURST):
                for connection in self.connections:
                    id = self.text()
                    self.begin(connection, "StartWorkflowExecution", id, self.start_request(id, "many"))
            waiting = self.notes[begun:]
            for note in waiting:
                note.connection.wait(note.call)
            begun = len(self.notes)
            for i, note in enumerate(waiting):
                text = self.text()
                connection = self.connections[(i * 7 + burst) % CONNECTIONS]
                self.begin(connection, "SignalWorkflowExecution", text, self.signal_request(note.text.decode(), text))
            for note in self.notes[begun:]:
                note.connection.wait(note.call)
                assert note.call.good, note.what


# ---- the trace


class Trace:
    def __init__(self, path: Path) -> None:
        self.writes = collections.defaultdict(list)     # (slot, offset) -> [submitted, done]
        self.syncs = collections.defaultdict(list)      # slot -> [(submitted, done)], in the order of submission
        self.received = collections.defaultdict(list)   # (loop, slot) -> [(order, bytes so far)]
        self.sent = collections.defaultdict(list)       # (loop, slot) -> [(submitted, bytes so far)]
        self.written = 0
        begun: dict[tuple[int, int], int] = {}
        lines = sorted((line.split() for line in path.read_text().splitlines()), key=lambda line: int(line[0]))
        for order, loop, event, kind, op, slot, offset, size, result in lines:
            order, loop, slot, result, op = int(order), int(loop), int(slot), int(result), (int(loop), int(op))
            if event == "submit":
                begun.setdefault(op, order)
                continue
            since = begun.pop(op, 0) if kind != "recv" else 0
            if kind == "write" and loop == 0 and result > 0:
                assert result == int(size), "a write came back short"
                self.writes[slot, int(offset)].append((since, order))
                self.written += result
            elif kind == "datasync" and result == 0:
                assert loop == 0
                self.syncs[slot].append((since, order))
            elif kind in ("recv", "send") and result > 0:
                rows = (self.received if kind == "recv" else self.sent)[loop, slot]
                rows.append((order if kind == "recv" else since, (rows[-1][1] if rows else 0) + result))

    def socket_of(self, connection: Connection):
        found = [key for key, rows in self.received.items() if rows[-1][1] == connection.sent]
        assert len(found) == 1, f"{len(found)} sockets received {connection.sent} bytes"
        return found[0]

    @staticmethod
    def holds(rows, byte: int) -> int:
        """The order of the entry in which the byte with this offset was."""
        return rows[bisect.bisect_right([upto for _, upto in rows], byte)][0]


def check(note: Noted, trace: Trace, socket, flight: int) -> str:
    received = trace.holds(trace.received[socket], note.call.sent_upto - 1)
    sent = trace.holds(trace.sent[socket], note.call.reply_from)
    writes = [(slot, w) for (slot, offset), ws in trace.writes.items() if offset == flight for w in ws if w[0] > received]
    if not writes:
        return "its record was not written after the request came"
    if len(writes) > 1:
        return "two files have a flight at this offset"
    slot, (submitted, written) = writes[0]
    synced = [done for begun, done in trace.syncs[slot] if begun > written]
    if not synced:
        return "no data sync after the write"
    if written > sent or min(synced) > sent:
        return "the reply left early"
    return ""


def check_all(notes, trace, sockets, flights) -> collections.Counter:
    return collections.Counter(check(n, trace, sockets[n.connection], flights[n.text]) for n in notes)


def find_flights(norn: str, data: str, notes) -> dict[bytes, int]:
    """By the text of a call: the offset of the flight that holds its record. All are in the first segment."""
    command = [norn, "journal", "dump", "--payloads", "--data", data]
    for _ in range(50):     # the kernel lets go of a killed server's files a moment later
        done = subprocess.run(command, capture_output=True)
        if done.returncode == 0 or b"has" not in done.stderr:
            break
        time.sleep(0.1)
    assert done.returncode == 0, done.stderr
    out = done.stdout
    wanted, flights = {n.text for n in notes}, {}
    for line in out.splitlines():
        record = json.loads(line)
        payload = base64.b64decode(record.get("payload", ""))
        for text in re.findall(rb"text-[0-9a-f]{32}", payload):
            if text in wanted and text not in flights:
                assert record["segment"] == 1
                flights[text] = record["flight"]
    assert len(flights) == len(wanted), f"{len(wanted) - len(flights)} calls have no record"
    return flights


# ---- the server


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--norn", required=True)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--loops", default="1")
    parser.add_argument("--must-fail", metavar="WITH", help="for more than half of the calls, with these words")
    args = parser.parse_args()
    args.folder.mkdir(parents=True)
    trace_path, log_path, data = args.folder / "trace", args.folder / "log", str(args.folder / "data")
    flags = "--grpc 127.0.0.1:0 --http 127.0.0.1:0 --metrics 127.0.0.1:0 --log-level warn --loops".split() + [args.loops]
    environment = dict(os.environ, NORN_IO_TRACE=str(trace_path))
    with log_path.open("w") as log:
        server = subprocess.Popen([args.norn, "server", "--data", data, *flags], env=environment, stdout=log, stderr=log)
    try:
        end = time.monotonic() + 30
        while not (found := re.search(r"grpc[^0-9]*([0-9.]+:[0-9]+)", log_path.read_text())):
            assert server.poll() is None and time.monotonic() < end, log_path.read_text()
            time.sleep(0.02)
        load = Load(found[1])
        load.one_at_a_time()
        alone = len(load.notes)
        load.many_at_once()
        # An answer on each connection more: so all that is asked about is in the trace.
        for c in load.connections:
            assert c.call("GetSystemInfo", rpc.GetSystemInfoRequest()).good
        if args.must_fail:
            time.sleep(1)       # records may come long after the replies
        # Killed, so that the trace ends here and the journal keeps every record.
        server.send_signal(signal.SIGKILL)
    finally:
        server.kill()
        server.wait()

    trace = Trace(trace_path)
    flights = find_flights(args.norn, data, load.notes)
    sockets = {c: trace.socket_of(c) for c in load.connections}
    found = check_all(load.notes, trace, sockets, flights)
    print(f"{args.loops} loops: {alone} durable calls one at a time, {len(load.notes) - alone} in bursts of "
          f"{BURST * CONNECTIONS}; {len(set(flights.values()))} flights, {sum(map(len, trace.syncs.values()))} data syncs, "
          f"{trace.written} bytes written")
    if args.must_fail:
        good = found[args.must_fail] > len(load.notes) / 2
        print(f"{'PASS' if good else 'FAIL'} the check fails on {os.environ['NORN_PLANT']}: {dict(found)}")
        return 0 if good else 1
    if set(found) != {""}:
        print(f"FAIL {dict(found)}")
        return 1
    # The check itself: a trace in which the syncs complete just after the reply must not pass.
    slot = max(trace.syncs, key=lambda s: len(trace.syncs[s]))
    late = load.notes[alone - 1]
    sent = trace.holds(trace.sent[sockets[late.connection]], late.call.reply_from)
    trace.syncs[slot] = [(a, b if b < a or b > sent or b < sent - 40 else sent + 0.5) for a, b in trace.syncs[slot]]
    assert check(late, trace, sockets[late.connection], flights[late.text]), "the check does not see a late sync"
    print(f"PASS every reply left after its data sync ({args.loops} loops)")
    return 0


if __name__ == "__main__":
    sys.exit(main())
