"""bad_input.py HOST:PORT - peers that break the rules of HTTP/2, flood, or are slow, on real sockets.

Each must be ended by the server within its time; after each, the server must still answer. Prints PASS or FAIL lines."""

import os
import random
import socket
import struct
import sys
import time

host, port = sys.argv[1].rsplit(":", 1)
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
failed = False


def frame(kind, flags, stream, payload=b""):
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload


def literal(name, value):
    return b"\0" + bytes([len(name)]) + name + bytes([len(value)]) + value


SETTINGS = frame(4, 0, 0)
HEADERS = (
    b"\x83\x86"
    + literal(b":path", b"/temporal.api.workflowservice.v1.WorkflowService/GetSystemInfo")
    + literal(b":authority", b"test")
    + literal(b"content-type", b"application/grpc")
)


def connect():
    s = socket.create_connection((host, int(port)), timeout=30)
    return s


def ended(s, seconds):
    """Whether the server ends the connection in this time."""
    until = time.time() + seconds
    try:
        while (left := until - time.time()) > 0:
            s.settimeout(left)
            if not s.recv(65536):
                return True
    except TimeoutError:
        return False
    except OSError:
        return True
    return False


def send(s, data):
    try:
        s.sendall(data)
        return True
    except OSError:
        return False


def alive():
    with connect() as s:
        s.sendall(b"GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        return s.recv(100).startswith(b"HTTP/1.1 200")


def report(name, good):
    global failed
    good = good and alive()
    failed = failed or not good
    print("PASS" if good else "FAIL", name, flush=True)


def random_bytes():
    rng = random.Random(7)
    for i in range(150):
        with connect() as s:
            send(s, [b"", PREFACE, PREFACE + SETTINGS][i % 3] + rng.randbytes(rng.randrange(1, 5000)))
            s.shutdown(socket.SHUT_WR)
            if not ended(s, 5):
                return False
    return True


def cut_requests():
    whole = PREFACE + SETTINGS + frame(1, 4, 1, HEADERS) + frame(0, 1, 1, b"\0\0\0\0\0")
    for length in range(1, len(whole)):
        with connect() as s:
            send(s, whole[:length])
            s.shutdown(socket.SHUT_WR)
            if not ended(s, 5):
                return False
    return True


def resets_in_the_middle():
    """Connections that vanish with a RST while calls are open."""
    for _ in range(100):
        s = connect()
        send(s, PREFACE + SETTINGS + frame(1, 4, 1, HEADERS) + frame(0, 0, 1, b"\0\0\0\1\0abc"))
        s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        s.close()
    return True


def flood(data, count=30000):
    with connect() as s:
        send(s, PREFACE + SETTINGS)
        s.settimeout(5)
        for _ in range(count // 100):
            if not send(s, data * 100):
                return True
        return ended(s, 5)


def rapid_resets():
    with connect() as s:
        send(s, PREFACE + SETTINGS)
        for stream in range(1, 40001, 2):
            if not send(s, frame(1, 4, stream, HEADERS) + frame(3, 0, stream, b"\0\0\0\x08")):
                return True
        return ended(s, 5)


def endless_headers():
    with connect() as s:
        send(s, PREFACE + SETTINGS + frame(1, 0, 1, b"\x83"))
        for _ in range(5000):
            if not send(s, frame(9, 0, 1, literal(b"a", b"b" * 100) * 100)):
                return True
        return ended(s, 5)


def hpack_bomb():
    entry = b"\x40\x01x\x7f\xa1\x1e" + b"v" * 4000
    with connect() as s:
        send(s, PREFACE + SETTINGS)
        for stream in range(1, 200, 2):
            send(s, frame(1, 5, stream, HEADERS + (entry if stream == 1 else b"") + b"\xbe" * 10000))
        send(s, frame(6, 0, 0, b"12345678"))
        s.settimeout(5)
        return bool(s.recv(100))


def slow_peers():
    """Nothing, half a preface, half a request: each must be dropped; the server allows 10 seconds."""
    beginnings = [b"", PREFACE[:10], b"GET / HTTP/1.1\r\nHost:", PREFACE + SETTINGS + frame(1, 0, 1, b"\x83")]
    peers = [connect() for _ in range(40)]
    for i, s in enumerate(peers):
        send(s, beginnings[i % 4])
    begin = time.time()
    good = all(ended(s, max(0.1, 14 - (time.time() - begin))) for s in peers)
    for s in peers:
        s.close()
    return good and time.time() - begin > 5


report("random bytes", random_bytes())
report("cut requests", cut_requests())
report("connections reset in the middle", resets_in_the_middle())
report("flood of PING", flood(frame(6, 0, 0, b"12345678")))
report("flood of SETTINGS", flood(frame(4, 0, 0)))
report("flood of PRIORITY", flood(frame(2, 0, 1, b"\0\0\0\0\1")))
report("flood of unknown frames", flood(frame(0xEE, 0, 0, b"x")))
report("rapid resets", rapid_resets())
report("endless headers", endless_headers())
report("a bomb of header references", hpack_bomb())
report("slow peers", slow_peers())
sys.exit(failed)
