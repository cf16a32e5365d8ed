"""Runs the Python SDK's conformance scenarios against a server and prints a line for each: PASS or FAIL with a reason.

    run.py --address 127.0.0.1:7233 [--namespace default] [--tls-ca FILE --tls-cert FILE --tls-key FILE]
           [--only REGEX] [--later] [--jobs N] [--list]

Exit status: 0 all passed, 1 something failed, 2 no connection.
"""

import argparse
import asyncio
import logging
import os
import re
import sys
import time
import traceback
from datetime import timedelta
from pathlib import Path

from temporalio.client import Client
from temporalio.runtime import LoggingConfig, Runtime, TelemetryConfig
from temporalio.service import TLSConfig

from harness import Scenario, Test, scenarios
from scenarios import activities, basics, clients, histories, ids, later, tasks  # noqa: F401 (they register)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--address", default="127.0.0.1:7233")
    parser.add_argument("--namespace", default="default")
    parser.add_argument("--tls-ca")
    parser.add_argument("--tls-cert")
    parser.add_argument("--tls-key")
    parser.add_argument("--only", default="", metavar="REGEX", help="scenarios whose name matches")
    parser.add_argument("--later", action="store_true", help="also what is not in the server's first scope")
    parser.add_argument("--jobs", type=int, default=8, help="scenarios at a time")
    parser.add_argument("--list", action="store_true", help="print the names and stop")
    parser.add_argument("--verbose", action="store_true", help="tracebacks, and the SDK's own log")
    return parser.parse_args()


def tls(args: argparse.Namespace) -> TLSConfig | bool:
    if not args.tls_ca:
        return False
    read = lambda name: Path(name).read_bytes() if name else None  # noqa: E731
    return TLSConfig(
        server_root_ca_cert=read(args.tls_ca), client_cert=read(args.tls_cert), client_private_key=read(args.tls_key)
    )


async def run_one(client: Client, scenario: Scenario, verbose: bool) -> bool:
    start = time.monotonic()
    task = asyncio.create_task(scenario.run(Test(client, scenario.name)))
    done, _ = await asyncio.wait({task}, timeout=scenario.limit)
    reason = ""
    if not done:
        reason = f"not done after {scenario.limit:.0f} s"
        stack = task.get_stack(limit=1)
        if stack:
            reason += f", in line {stack[-1].f_lineno}"
        task.cancel()
        await asyncio.wait({task}, timeout=5)
    elif task.exception():
        e = task.exception()
        reason = f"{type(e).__name__}: {e}" if not isinstance(e, AssertionError) else str(e) or "assertion"
        if e.__cause__:
            reason += f" (cause: {e.__cause__})"
        lines = [f for f in traceback.extract_tb(e.__traceback__) if "scenarios" in f.filename]
        if lines:
            reason += f" [{Path(lines[-1].filename).name}:{lines[-1].lineno}]"
        if verbose:
            traceback.print_exception(e)
    outcome = "FAIL" if reason else "PASS"
    text = " ".join(reason.split())[:600]
    print(f"{outcome} python {scenario.name} ({time.monotonic() - start:.1f} s){': ' if text else ''}{text}", flush=True)
    return not reason


async def main() -> int:
    args = arguments()
    if not args.verbose:
        logging.disable(logging.CRITICAL)
        Runtime.set_default(Runtime(telemetry=TelemetryConfig(logging=LoggingConfig(filter="off"))))
    chosen = [s for s in scenarios if re.search(args.only, s.name) and (args.later or not s.later)]
    if args.list:
        for s in chosen:
            print(s.name + ("  later" if s.later else ""))
        return 0
    try:
        connect = Client.connect(args.address, namespace=args.namespace, tls=tls(args))
        client = await asyncio.wait_for(connect, 15)
    except Exception as e:
        print(f"FAIL python connect: {e}", flush=True)
        return 2
    await asyncio.wait_for(client.service_client.check_health(timeout=timedelta(seconds=5)), 10)
    start = time.monotonic()
    slots = asyncio.Semaphore(args.jobs)

    async def with_slot(s: Scenario) -> bool:
        async with slots:
            return await run_one(client, s, args.verbose)

    results = await asyncio.gather(*(with_slot(s) for s in chosen if not s.alone))
    for s in chosen:
        if s.alone:
            results.append(await run_one(client, s, args.verbose))
    failed = results.count(False)
    print(f"python: {len(results) - failed} passed, {failed} failed in {time.monotonic() - start:.0f} s", flush=True)
    return 1 if failed or not results else 0


if __name__ == "__main__":
    sys.path.insert(0, os.path.dirname(__file__))
    status = asyncio.run(main())
    sys.stdout.flush()
    os._exit(status)  # a scenario that hung may have left threads behind
