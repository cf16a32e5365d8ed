// Runs the TypeScript SDK's conformance scenarios against a server and prints a line for each, PASS or FAIL.
//
//   node run.js --address 127.0.0.1:7233 [--namespace default] [--tls-ca FILE --tls-cert FILE --tls-key FILE]
//               [--only REGEX]
//
// Histories are written as in the Python suite: S, St, C, F, T are a workflow task's events.
// Exit status: 0 all passed, 1 something failed, 2 no connection.
const assert = require('node:assert/strict');
const crypto = require('node:crypto');
const fs = require('node:fs');
const { parseArgs } = require('node:util');
const { Context } = require('@temporalio/activity');
const { Client, Connection, WorkflowFailedError, QueryRejectedError } = require('@temporalio/client');
const { CancelledFailure, TerminatedFailure } = require('@temporalio/common');
const { temporal } = require('@temporalio/proto');
const { bundleWorkflowCode, DefaultLogger, NativeConnection, Runtime, Worker } = require('@temporalio/worker');

const text = { type: 'string' };
const { values: flags } = parseArgs({
  options: {
    address: { ...text, default: '127.0.0.1:7233' },
    namespace: { ...text, default: 'default' },
    'tls-ca': text,
    'tls-cert': text,
    'tls-key': text,
    only: { ...text, default: '' },
  },
});

const activities = {
  greet: async (name) => `Hello, ${name}!`,
  cleanUp: async () => 'clean',
  failUntil: async (attempt) => {
    const info = Context.current().info;
    if (info.attempt < attempt) throw new Error(`attempt ${info.attempt} fails`);
    return info.attempt;
  },
  heartbeats: async () => {
    const { info } = Context.current();
    if (info.attempt === 1) {
      Context.current().heartbeat({ step: 7 });
      throw new Error('after a heartbeat');
    }
    return info.heartbeatDetails;
  },
  untilCancelled: async () => {
    const context = Context.current();
    const beat = setInterval(() => context.heartbeat('alive'), 100);
    await context.cancelled.finally(() => clearInterval(beat));
  },
};

function short(event) {
  const name = temporal.api.enums.v1.EventType[event.eventType].replace('EVENT_TYPE_', '');
  const task = { SCHEDULED: 'S', STARTED: 'St', COMPLETED: 'C', FAILED: 'F', TIMED_OUT: 'T' };
  if (name.startsWith('WORKFLOW_TASK_')) return task[name.slice('WORKFLOW_TASK_'.length)];
  const words = name.replace('WORKFLOW_EXECUTION_', '').replace('ACTIVITY_TASK_', 'ACTIVITY_').split('_');
  return words.map((w) => w[0] + w.slice(1).toLowerCase()).join('');
}

// One run of one scenario, with ids and a task queue of its own.
class Test {
  constructor(client, native, bundle, name) {
    Object.assign(this, { client, native, bundle, name, id: `ts-${name}-${crypto.randomUUID().slice(0, 8)}` });
  }

  async withWorker(options, body) {
    const worker = await Worker.create({
      connection: this.native,
      namespace: flags.namespace,
      taskQueue: this.id,
      workflowBundle: this.bundle,
      activities,
      shutdownGraceTime: 0,
      ...options,
    });
    return worker.runUntil(body);
  }

  start(type, args = [], options = {}) {
    return this.client.workflow.start(type, { workflowId: this.id, taskQueue: this.id, args, ...options });
  }

  async history(handle, expected) {
    const { events } = await handle.fetchHistory();
    assert.equal(events.map(short).join(' '), expected);
    events.forEach((e, n) => assert.equal(Number(e.eventId), n + 1, 'event id'));
    return events;
  }

  async replay(handle) {
    await Worker.runReplayHistory({ workflowBundle: this.bundle }, await handle.fetchHistory(), handle.workflowId);
  }
}

async function soon(probe) {
  for (let left = 100; ; left--) {
    try {
      return await probe();
    } catch (e) {
      if (left === 0 || e.name !== 'AssertionError') throw e;
    }
    await new Promise((done) => setTimeout(done, 100));
  }
}

const ONE_ACTIVITY = 'Started S St C ActivityScheduled ActivityStarted ActivityCompleted S St C Completed';

const scenarios = {
  async hello(t) {
    const handle = await t.start('hello', ['Norn']);
    assert.equal(await t.withWorker({}, () => handle.result()), 'Hello, Norn!');
    await t.history(handle, ONE_ACTIVITY);
    assert.equal((await handle.describe()).status.name, 'COMPLETED');
    await t.replay(handle);
  },

  async activity_retry(t) {
    const handle = await t.start('retry', [3]);
    assert.equal(await t.withWorker({}, () => handle.result()), 3);
    const events = await t.history(handle, ONE_ACTIVITY);
    const started = events[5].activityTaskStartedEventAttributes;
    assert.equal(started.attempt, 3);
    assert.equal(started.lastFailure.message, 'attempt 2 fails');
  },

  async heartbeat_details(t) {
    const handle = await t.start('heartbeat');
    assert.deepEqual(await t.withWorker({}, () => handle.result()), { step: 7 });
    await t.history(handle, ONE_ACTIVITY);
  },

  async timers(t) {
    const handle = await t.start('timers');
    assert.deepEqual(await t.withWorker({}, () => handle.result()), [0, 1, 2, 'cancelled']);
    const names = (await handle.fetchHistory()).events.map(short);
    assert.equal(names.filter((n) => n === 'TimerFired').length, 3);
    assert.deepEqual(names.slice(-2), ['TimerCanceled', 'Completed']);
    await t.replay(handle);
  },

  async signals(t) {
    const handle = await t.client.workflow.signalWithStart('collect', {
      workflowId: t.id,
      taskQueue: t.id,
      signal: 'add',
      signalArgs: ['0'],
    });
    const sent = ['0', ...Array.from({ length: 10 }, (_, n) => String(n + 1)), 'end'];
    for (const value of sent.slice(1)) await handle.signal('add', value);
    assert.deepEqual(await t.withWorker({}, () => handle.result()), sent);
    await t.history(handle, `Started Signaled S ${'Signaled '.repeat(11)}St C Completed`);
  },

  async queries(t) {
    await t.withWorker({}, async () => {
      const handle = await t.start('collect');
      assert.deepEqual(await handle.query('values'), []);
      await handle.signal('add', 'a');
      assert.deepEqual(await handle.query('values'), ['a']);
      await assert.rejects(handle.query('broken'), /on purpose/);
      await assert.rejects(handle.query('unknown'), /unknown|not register/);
      await handle.signal('add', 'end');
      await handle.result();
      assert.deepEqual(await handle.query('values'), ['a', 'end']);
      const rejecting = new Client({
        connection: t.client.connection,
        namespace: flags.namespace,
        workflow: { queryRejectCondition: 'NOT_OPEN' },
      });
      await assert.rejects(rejecting.workflow.getHandle(t.id).query('values'), QueryRejectedError);
    });
  },

  async continue_as_new(t) {
    const handle = await t.start('countdown', [3, []]);
    const runs = await t.withWorker({}, () => handle.result());
    assert.equal(new Set(runs).size, 4);
    assert.equal(runs[0], handle.firstExecutionRunId);
    for (const [n, run] of runs.entries()) {
      const one = t.client.workflow.getHandle(t.id, run);
      const events = await t.history(one, `Started S St C ${n < 3 ? 'ContinuedAsNew' : 'Completed'}`);
      assert.equal(events[0].workflowExecutionStartedEventAttributes.firstExecutionRunId, runs[0]);
    }
  },

  async cancellation(t) {
    await t.withWorker({}, async () => {
      const handle = await t.start('cancellable');
      await soon(() => t.history(handle, 'Started S St C TimerStarted'));
      await handle.cancel();
      await assert.rejects(
        handle.result(),
        (e) => e instanceof WorkflowFailedError && e.cause instanceof CancelledFailure
      );
      await t.history(
        handle,
        'Started S St C TimerStarted CancelRequested S St C TimerCanceled ' +
          'ActivityScheduled ActivityStarted ActivityCompleted S St C Canceled'
      );
      await t.replay(handle);
    });
  },

  async activity_cancellation(t) {
    const handle = await t.start('cancelActivity');
    assert.equal(await t.withWorker({}, () => handle.result()), 'cancelled');
    const names = (await handle.fetchHistory()).events.map(short);
    assert(names.includes('ActivityCancelRequested') && names.includes('ActivityCanceled'), names.join(' '));
  },

  async terminate(t) {
    const handle = await t.start('collect');
    await handle.terminate('because');
    await assert.rejects(handle.result(), (e) => e.cause instanceof TerminatedFailure && /because/.test(e.message));
    await t.history(handle, 'Started S Terminated');
  },

  async sticky_eviction(t) {
    for (const maxCachedWorkflows of [0, 1]) {
      await t.withWorker({ maxCachedWorkflows }, async () => {
        const handles = await Promise.all(
          [0, 1, 2, 3].map((n) => t.start('interleaved', [n], { workflowId: `${t.id}-${maxCachedWorkflows}-${n}` }))
        );
        const results = await Promise.all(handles.map((h) => h.result()));
        for (const [n, result] of results.entries()) {
          assert.deepEqual(
            result.filter((_, i) => i >= 2 && i % 2 === 0),
            [0, 1, 2, 3].map((step) => `Hello, ${n}.${step}!`)
          );
          await t.replay(handles[n]);
        }
      });
    }
  },
};

async function runOne(t, run) {
  const start = Date.now();
  let reason = '';
  let timer;
  const limit = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error('not done after 30 s')), 30_000);
  });
  try {
    await Promise.race([run(t), limit]);
  } catch (e) {
    const where = /run\.js:\d+/g.exec(e.stack ?? '')?.[0] ?? '';
    reason = `: ${e.name}: ${e.message} ${e.cause ?? ''} [${where}]`.replace(/\s+/g, ' ').slice(0, 600);
  }
  clearTimeout(timer);
  console.log(`${reason ? 'FAIL' : 'PASS'} typescript ${t.name} (${((Date.now() - start) / 1000).toFixed(1)} s)${reason}`);
  return !reason;
}

async function main() {
  const read = (name) => (flags[name] ? fs.readFileSync(flags[name]) : undefined);
  const tls = flags['tls-ca'] && {
    serverRootCACertificate: read('tls-ca'),
    clientCertPair: flags['tls-cert'] && { crt: read('tls-cert'), key: read('tls-key') },
  };
  Runtime.install({ logger: new DefaultLogger('ERROR', () => {}), telemetryOptions: { logging: { filter: 'OFF' } } });
  let native, connection;
  try {
    native = await NativeConnection.connect({ address: flags.address, tls });
    connection = await Connection.connect({ address: flags.address, tls, connectTimeout: '10s' });
  } catch (e) {
    console.log(`FAIL typescript connect: ${e.message}`);
    return 2;
  }
  const client = new Client({ connection, namespace: flags.namespace });
  const silent = new DefaultLogger('ERROR', () => {});
  const bundle = await bundleWorkflowCode({ workflowsPath: require.resolve('./workflows.js'), logger: silent });
  const start = Date.now();
  const chosen = Object.entries(scenarios).filter(([name]) => new RegExp(flags.only).test(name));
  const left = [...chosen];
  const results = [];
  const lane = async () => {
    for (let next = left.shift(); next; next = left.shift()) {
      results.push(await runOne(new Test(client, native, bundle, next[0]), next[1]));
    }
  };
  await Promise.all([lane(), lane(), lane()]);
  const failed = results.filter((ok) => !ok).length;
  const seconds = Math.round((Date.now() - start) / 1000);
  console.log(`typescript: ${results.length - failed} passed, ${failed} failed in ${seconds} s`);
  return failed || !results.length ? 1 : 0;
}

main().then(
  (status) => process.exit(status),
  (e) => {
    console.log(`FAIL typescript: ${e.stack}`);
    process.exit(1);
  }
);
