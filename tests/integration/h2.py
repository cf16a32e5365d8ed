"""A gRPC client on a bare socket, for tests that must know which bytes of a connection a call had, or send wrong ones.

Headers are sent as plain literals; of an answer only the frames are looked at: a call has succeeded when it got data.
"""

import socket
import struct

DATA, HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY, WINDOW_UPDATE = 0, 1, 3, 4, 6, 7, 8
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
SERVICE = "/temporal.api.workflowservice.v1.WorkflowService/"
WINDOW = 1 << 30


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    return len(payload).to_bytes(3, "big") + bytes([kind, flags]) + struct.pack(">I", stream) + payload


def text(value: bytes) -> bytes:
    """A string literal of HPACK, without Huffman."""
    if len(value) < 127:
        return bytes([len(value)]) + value
    rest, out = len(value) - 127, b"\x7f"
    while rest >= 128:
        out += bytes([rest % 128 + 128])
        rest //= 128
    return out + bytes([rest]) + value


def header_block(path: str, extra: dict[str, str] | None = None) -> bytes:
    fields = {":method": "POST", ":scheme": "http", ":path": path, ":authority": "test", "te": "trailers",
              "content-type": "application/grpc", "grpc-timeout": "30S", **(extra or {})}
    return b"".join(b"\0" + text(name.encode()) + text(value.encode()) for name, value in fields.items())


def message(body: bytes) -> bytes:
    return b"\0" + struct.pack(">I", len(body)) + body


class Call:
    def __init__(self, sent_upto: int) -> None:
        self.sent_upto = sent_upto      # bytes of the connection, up to the end of the request
        self.reply_from = -1            # offset of the first byte of the answer, in what the server sent
        self.body = b""
        self.reset = None               # the error code
        self.ended = False

    @property
    def good(self) -> bool:
        return len(self.body) >= 5 and not self.reset

    def reply(self, kind):
        assert self.good, "the call failed"
        return kind.FromString(self.body[5:])


class Connection:
    def __init__(self, address: str, timeout: float = 20) -> None:
        host, port = address.rsplit(":", 1)
        self.sock = socket.create_connection((host, int(port)), timeout)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sent = self.taken = 0
        self.pending = b""
        self.calls: dict[int, Call] = {}
        self.next_stream = 1
        self.gone = False               # GOAWAY, or the end of the connection
        settings = struct.pack(">HI", 4, WINDOW)
        self.send(PREFACE + frame(SETTINGS, 0, 0, settings) + frame(WINDOW_UPDATE, 0, 0, struct.pack(">I", WINDOW)))

    def send(self, data: bytes) -> None:
        self.sock.sendall(data)
        self.sent += len(data)

    def start(self, path: str, body: bytes, extra: dict[str, str] | None = None) -> Call:
        path = path if path.startswith("/") else SERVICE + path
        stream, self.next_stream = self.next_stream, self.next_stream + 2
        data = frame(HEADERS, 4, stream, header_block(path, extra))
        body = message(body)
        while len(body) > 16384:
            data += frame(DATA, 0, stream, body[:16384])
            body = body[16384:]
        self.send(data + frame(DATA, 1, stream, body))
        self.calls[stream] = call = Call(self.sent)
        return call

    def step(self) -> None:
        """Takes what has come, or waits for more."""
        more = self.sock.recv(1 << 18)
        if not more:
            self.gone = True
        self.pending += more
        while len(self.pending) >= 9:
            size = int.from_bytes(self.pending[:3], "big")
            if len(self.pending) < 9 + size:
                break
            kind, flags = self.pending[3], self.pending[4]
            stream = int.from_bytes(self.pending[5:9], "big") & 0x7FFFFFFF
            self.take(kind, flags, stream, self.pending[9 : 9 + size])
            self.pending = self.pending[9 + size :]
            self.taken += 9 + size

    def take(self, kind: int, flags: int, stream: int, payload: bytes) -> None:
        call = self.calls.get(stream)
        if kind == SETTINGS and not flags & 1:
            self.send(frame(SETTINGS, 1, 0))
        elif kind == PING and not flags & 1:
            self.send(frame(PING, 1, 0, payload))
        elif kind == GOAWAY:
            self.gone = True
        elif call and kind in (HEADERS, DATA, RST_STREAM):
            if call.reply_from < 0:
                call.reply_from = self.taken
            if kind == DATA:
                call.body += payload
            if kind == RST_STREAM:
                call.reset = int.from_bytes(payload, "big")
            call.ended = call.ended or kind == RST_STREAM or bool(flags & 1)

    def wait(self, *calls: Call) -> None:
        while not all(call.ended for call in calls):
            assert not self.gone, "the server closed the connection"
            self.step()

    def call(self, path: str, request, kind=None, extra: dict[str, str] | None = None):
        call = self.start(path, request.SerializeToString(), extra)
        self.wait(call)
        return call.reply(kind) if kind else call
