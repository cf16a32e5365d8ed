// The workflows of run.js; the SDK bundles this file for its isolated workflow environment.
const wf = require('@temporalio/workflow');

const { greet, failUntil, heartbeats, cleanUp } = wf.proxyActivities({
  startToCloseTimeout: '10s',
  heartbeatTimeout: '5s',
  retry: { initialInterval: '100ms', backoffCoefficient: 1 },
});

exports.hello = async (name) => greet(name);
exports.retry = async (attempt) => failUntil(attempt);
exports.heartbeat = async () => heartbeats();

exports.timers = async () => {
  const fired = [];
  const one = async (n) => {
    await wf.sleep(200 + n * 100);
    fired.push(n);
  };
  const lost = new wf.CancellationScope();
  const never = lost.run(() => wf.sleep('1 hour')).catch(() => fired.push('cancelled'));
  await Promise.all([one(2), one(0), one(1)]);
  lost.cancel();
  await never;
  return fired;
};

const add = wf.defineSignal('add');
const values = wf.defineQuery('values');
const broken = wf.defineQuery('broken');

exports.collect = async () => {
  const seen = [];
  wf.setHandler(add, (value) => void seen.push(value));
  wf.setHandler(values, () => seen);
  wf.setHandler(broken, () => {
    throw new Error('on purpose');
  });
  await wf.condition(() => seen.includes('end'));
  return seen;
};

exports.countdown = async (n, runs) => {
  runs.push(wf.workflowInfo().runId);
  if (n > 0) await wf.continueAsNew(n - 1, runs);
  return runs;
};

exports.cancellable = async () => {
  try {
    await wf.sleep('1 hour');
  } catch (e) {
    if (!wf.isCancellation(e)) throw e;
    await wf.CancellationScope.nonCancellable(() => cleanUp());
    throw e;
  }
};

exports.cancelActivity = async () => {
  const { untilCancelled } = wf.proxyActivities({
    startToCloseTimeout: '20s',
    heartbeatTimeout: '5s',
    cancellationType: 'WAIT_CANCELLATION_COMPLETED',
  });
  const scope = new wf.CancellationScope();
  const running = scope.run(() => untilCancelled());
  await wf.condition(() => false, '500ms');
  scope.cancel();
  try {
    await running;
  } catch (e) {
    return wf.isCancellation(e) ? 'cancelled' : String(e);
  }
  return 'completed';
};

exports.interleaved = async (n) => {
  const result = [wf.uuid4(), String(Math.random())];
  for (let step = 0; step < 4; step++) {
    result.push(await greet(`${n}.${step}`));
    await wf.sleep(50);
    result.push(wf.uuid4());
  }
  return result;
};
