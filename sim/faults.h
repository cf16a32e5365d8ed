/* faults: the one table of what the simulated world can do to a node. Each kind is on or off for a seed (swarm), and is
 * counted when it is injected, so that a batch of seeds can tell which kinds were never reached.
 *
 * X(name, text, group). Groups:
 *   CONTRACT  allowed by io.h at any time (order, splits, delays): always legal, on by default;
 *   CRASH     what a crash may do to unsynced data and to connections;
 *   NETWORK, DISK, CLOCK, PROCESS  faults of the outside, on when the swarm says so.
 *
 * Never on unless asked for: LYING_SYNC, which no server survives; with it on, a run must fail, which proves that the
 * checkers see lost data. */
#ifndef NORN_SIM_FAULTS_H
#define NORN_SIM_FAULTS_H

#define FAULTS(X)                                                                                              \
    X(FAULT_REORDER, "completions out of order", CONTRACT)                                                     \
    X(FAULT_SMALL_BATCH, "part of the ready callbacks put off to the next batch", CONTRACT)                    \
    X(FAULT_LATE_LOOP, "loop woken late", CONTRACT)                                                            \
    X(FAULT_LATE_POST, "message between loops delayed", CONTRACT)                                              \
    X(FAULT_CANCEL_LOST, "cancel came too late", CONTRACT)                                                     \
    X(FAULT_SPLIT, "received bytes split", CONTRACT)                                                           \
    X(FAULT_DRIP, "received bytes one by one", CONTRACT)                                                       \
    X(FAULT_SHORT_SEND, "send took a part", CONTRACT)                                                          \
    X(FAULT_SMALL_WINDOW, "connection with a window of a few thousand bytes", CONTRACT)                        \
    X(FAULT_POOL_EMPTY, "no receive buffer for a while", CONTRACT)                                             \
    X(FAULT_REARM, "multishot receive ended early and armed again", CONTRACT)                                  \
    X(FAULT_SLOW_HELPER, "helper call took milliseconds", CONTRACT)                                            \
    X(FAULT_KEPT_WRITE, "unsynced write survived the crash", CRASH)                                            \
    X(FAULT_LOST_WRITE, "unsynced write lost in the crash", CRASH)                                             \
    X(FAULT_TORN_WRITE, "unsynced write torn at 512 bytes", CRASH)                                             \
    X(FAULT_WRITEBACK, "unsynced write made durable early", CRASH)                                             \
    X(FAULT_LOST_SIZE, "unsynced file size lost in the crash", CRASH)                                          \
    X(FAULT_ZERO_TAIL, "size survived the crash without its bytes", CRASH)                                     \
    X(FAULT_LOST_ENTRY, "unsynced folder entry lost in the crash", CRASH)                                      \
    X(FAULT_INFLIGHT_WRITE, "write in flight at the crash reached the disk", CRASH)                            \
    X(FAULT_GHOST_LOCK, "lock of the crashed process held a while longer", CRASH)                              \
    X(FAULT_HALF_OPEN, "peer of a crashed node heard nothing", CRASH)                                          \
    X(FAULT_CRASH_RESET, "peer of a crashed node was reset", CRASH)                                            \
    X(FAULT_LATENCY_TAIL, "a segment was slow", NETWORK)                                                       \
    X(FAULT_STALL, "lost segment, sent again after a timeout", NETWORK)                                        \
    X(FAULT_RESET, "established connection reset", NETWORK)                                                    \
    X(FAULT_REFUSED, "connection refused", NETWORK)                                                            \
    X(FAULT_CONNECT_TIMEOUT, "connection attempt timed out", NETWORK)                                          \
    X(FAULT_PARTITION, "link cut for a while", NETWORK)                                                        \
    X(FAULT_NAME_FAILED, "name lookup failed", NETWORK)                                                        \
    X(FAULT_SLOW_DISK, "disk operation took milliseconds", DISK)                                               \
    X(FAULT_DISK_STALL, "disk operation took seconds", DISK)                                                   \
    X(FAULT_READ_ERROR, "read failed", DISK)                                                                   \
    X(FAULT_WRITE_ERROR, "write failed", DISK)                                                                 \
    X(FAULT_SYNC_ERROR, "sync failed", DISK)                                                                   \
    X(FAULT_LYING_SYNC, "sync told success and did nothing", DISK)                                             \
    X(FAULT_DISK_FULL, "disk full", DISK)                                                                      \
    X(FAULT_SKEW, "wall clock wrong from the start", CLOCK)                                                    \
    X(FAULT_DRIFT, "monotonic clock fast or slow", CLOCK)                                                      \
    X(FAULT_JUMP_FORWARD, "wall clock jumped forward", CLOCK)                                                  \
    X(FAULT_JUMP_BACK, "wall clock jumped back", CLOCK)                                                        \
    X(FAULT_CRASH_BOUNDARY, "power lost at an io boundary", PROCESS)                                           \
    X(FAULT_CRASH_TIME, "power lost at a moment", PROCESS)                                                     \
    X(FAULT_KILL, "process killed, page cache kept", PROCESS)                                                  \
    X(FAULT_CRASH_RECOVERY, "power lost again soon after the start", PROCESS)                                  \
    X(FAULT_PAUSE, "process frozen for a while", PROCESS)                                                      \
    X(FAULT_TERMINATE, "SIGTERM and restart", PROCESS)

enum fault {
#define X(name, text, group) name,
    FAULTS(X)
#undef X
    FAULT_COUNT
};

enum fault_group { FAULT_GROUP_CONTRACT, FAULT_GROUP_CRASH, FAULT_GROUP_NETWORK, FAULT_GROUP_DISK, FAULT_GROUP_CLOCK,
                   FAULT_GROUP_PROCESS };

#endif
