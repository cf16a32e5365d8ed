/* faults: the one table of what the simulated world can do to a node. Each kind is on or off for a seed (swarm), and is
 * counted when it is injected, so that a batch of seeds can tell which kinds were never reached.
 *
 * X(name, text, group, reach). Groups:
 *   CONTRACT  allowed by io.h at any time (order, splits, delays), or legal in the code (nudges): on by default;
 *   CRASH     what a crash may do to unsynced data and to connections;
 *   NETWORK, DISK, CLOCK, PROCESS, CLIENT  faults of the outside, on when the swarm says so. CLIENT is what a hostile
 *   or broken peer does on a connection of its own.
 * Of `reach` seeds of the default workload one must be hit by the kind, or the batch fails; 0: none need, the kind is
 * another workload's.
 *
 * Never on unless asked for: LYING_SYNC, which no server survives; with it on, a run must fail, which proves that the
 * checkers see lost data. */
#ifndef NORN_SIM_FAULTS_H
#define NORN_SIM_FAULTS_H

#define FAULTS(X)                                                                                              \
    X(FAULT_REORDER, "completions out of order", CONTRACT, 5)                                                  \
    X(FAULT_SMALL_BATCH, "part of the ready callbacks put off to the next batch", CONTRACT, 5)                 \
    X(FAULT_LATE_LOOP, "loop woken late", CONTRACT, 20)                                                        \
    X(FAULT_LATE_POST, "message between loops delayed", CONTRACT, 20)                                          \
    X(FAULT_CANCEL_LOST, "cancel came too late", CONTRACT, 20)                                                 \
    X(FAULT_SPLIT, "received bytes split", CONTRACT, 5)                                                        \
    X(FAULT_DRIP, "received bytes one by one", CONTRACT, 20)                                                   \
    X(FAULT_SHORT_SEND, "send took a part", CONTRACT, 5)                                                       \
    X(FAULT_SMALL_WINDOW, "connection with a window of a few thousand bytes", CONTRACT, 20)                    \
    X(FAULT_POOL_EMPTY, "no receive buffer for a while", CONTRACT, 20)                                         \
    X(FAULT_REARM, "multishot receive ended early and armed again", CONTRACT, 20)                              \
    X(FAULT_SLOW_HELPER, "helper call took milliseconds", CONTRACT, 20)                                        \
    X(FAULT_NUDGE, "code was taken off its usual way (base/mark.h)", CONTRACT, 10)                             \
    X(FAULT_KEPT_WRITE, "unsynced write survived the crash", CRASH, 20)                                        \
    X(FAULT_LOST_WRITE, "unsynced write lost in the crash", CRASH, 20)                                         \
    X(FAULT_TORN_WRITE, "unsynced write torn at 512 bytes", CRASH, 20)                                         \
    X(FAULT_WRITEBACK, "unsynced write made durable early", CRASH, 20)                                         \
    X(FAULT_LOST_SIZE, "unsynced file size lost in the crash", CRASH, 50)                                      \
    X(FAULT_ZERO_TAIL, "size survived the crash without its bytes", CRASH, 50)                                 \
    X(FAULT_LOST_ENTRY, "unsynced folder entry lost in the crash", CRASH, 50)                                  \
    X(FAULT_INFLIGHT_WRITE, "write in flight at the crash reached the disk", CRASH, 400)                       \
    X(FAULT_GHOST_LOCK, "lock of the crashed process held a while longer", CRASH, 20)                          \
    X(FAULT_HALF_OPEN, "peer of a crashed node heard nothing", CRASH, 20)                                      \
    X(FAULT_CRASH_RESET, "peer of a crashed node was reset", CRASH, 20)                                        \
    X(FAULT_LAST_CRASH, "power of the server lost as the calm begins, in each seed", CRASH, 1)                 \
    X(FAULT_LATENCY_TAIL, "a segment was slow", NETWORK, 20)                                                   \
    X(FAULT_STALL, "lost segment, sent again after a timeout", NETWORK, 20)                                    \
    X(FAULT_RESET, "established connection reset", NETWORK, 50)                                                \
    X(FAULT_RESET_MIDDLE, "connection reset in the middle of what was sent at once", NETWORK, 50)              \
    X(FAULT_IDLE_CUT, "idle connection cut by something between, told or not", NETWORK, 100)                   \
    X(FAULT_ACCEPT_FAILED, "accept failed, no descriptors left", NETWORK, 50)                                  \
    X(FAULT_REFUSED, "connection refused", NETWORK, 200)                                                       \
    X(FAULT_CONNECT_TIMEOUT, "connection attempt timed out", NETWORK, 100)                                     \
    X(FAULT_PARTITION, "link cut for a while", NETWORK, 20)                                                    \
    X(FAULT_PARTITION_ONE_WAY, "link cut for a while in one direction", NETWORK, 20)                           \
    X(FAULT_FLAPPING, "link cut and mended again and again", NETWORK, 20)                                      \
    X(FAULT_NAME_FAILED, "name lookup failed", NETWORK, 0)                                                     \
    X(FAULT_SLOW_DISK, "disk operation took milliseconds", DISK, 20)                                           \
    X(FAULT_DISK_STALL, "disk operation took seconds", DISK, 200)                                              \
    X(FAULT_READ_ERROR, "read failed", DISK, 200)                                                              \
    X(FAULT_WRITE_ERROR, "write failed", DISK, 200)                                                            \
    X(FAULT_SYNC_ERROR, "sync failed", DISK, 200)                                                              \
    X(FAULT_LYING_SYNC, "sync told success and did nothing", DISK, 0)                                          \
    X(FAULT_DISK_FULL, "disk full", DISK, 200)                                                                 \
    X(FAULT_FULL_WHILE, "disk full for a while, then room again", DISK, 20)                                    \
    X(FAULT_BIT_ROT, "bits of the journal changed while the server was down", DISK, 200)                       \
    X(FAULT_MISDIRECTED_WRITE, "a block of the journal written to another place", DISK, 200)                   \
    X(FAULT_LATENT_SECTOR, "a sector of the journal cannot be read", DISK, 400)                                \
    X(FAULT_TRUNCATED_FILE, "a segment of the journal cut", DISK, 400)                                         \
    X(FAULT_MISSING_FILE, "a segment of the journal gone", DISK, 400)                                          \
    X(FAULT_OLD_FILES, "an older journal beside the database", DISK, 600)                                      \
    X(FAULT_SKEW, "wall clock wrong from the start", CLOCK, 20)                                                \
    X(FAULT_DRIFT, "monotonic clock fast or slow", CLOCK, 20)                                                  \
    X(FAULT_JUMP_FORWARD, "wall clock jumped forward", CLOCK, 20)                                              \
    X(FAULT_JUMP_BACK, "wall clock jumped back", CLOCK, 20)                                                    \
    X(FAULT_WOBBLE, "wall clock set to and fro, as by time servers that disagree", CLOCK, 200)                 \
    X(FAULT_WALL_DRIFT, "wall clock faster or slower than the monotonic one", CLOCK, 50)                       \
    X(FAULT_COARSE, "clocks that move by milliseconds only", CLOCK, 50)                                        \
    X(FAULT_CRASH_BOUNDARY, "power lost at an io boundary", PROCESS, 20)                                       \
    X(FAULT_CRASH_TIME, "power lost at a moment", PROCESS, 20)                                                 \
    X(FAULT_KILL, "process killed, page cache kept", PROCESS, 20)                                              \
    X(FAULT_CRASH_RECOVERY, "power lost again soon after the start", PROCESS, 20)                              \
    X(FAULT_PAUSE, "process frozen for a while", PROCESS, 20)                                                  \
    X(FAULT_TERMINATE, "SIGTERM and restart", PROCESS, 20)                                                     \
    X(FAULT_TERMINATE_CRASH, "power lost while SIGTERM is obeyed", PROCESS, 20)                                \
    X(FAULT_CRASH_LOOP, "power lost again and again", PROCESS, 20)                                             \
    X(FAULT_SLOW_LOOP, "code ran many times slower for a while", PROCESS, 20)                                  \
    X(FAULT_OUT_OF_MEMORY, "memory exhausted at the n-th allocation; the process ends", PROCESS, 20)           \
    X(FAULT_RECONFIGURED, "started again with other loops, memory or sizes", PROCESS, 20)                      \
    X(FAULT_OLDER_FOLDER, "the first start found the data folder of an older build", PROCESS, 50)              \
    X(FAULT_HOSTILE_GARBAGE, "a peer sent garbage", CLIENT, 20)                                                \
    X(FAULT_HOSTILE_FRAMES, "a peer sent frames at random", CLIENT, 20)                                        \
    X(FAULT_HOSTILE_RESETS, "a peer began requests and reset them at once", CLIENT, 20)                        \
    X(FAULT_HOSTILE_SETTINGS, "a peer shrank windows and flooded settings and pings", CLIENT, 20)              \
    X(FAULT_HOSTILE_STALL, "a peer asked much and took nothing", CLIENT, 20)                                   \
    X(FAULT_HOSTILE_SLOW, "a peer sent a request byte by byte", CLIENT, 20)

enum fault {
#define X(name, text, group, reach) name,
    FAULTS(X)
#undef X
    FAULT_COUNT
};

enum fault_group { FAULT_GROUP_CONTRACT, FAULT_GROUP_CRASH, FAULT_GROUP_NETWORK, FAULT_GROUP_DISK, FAULT_GROUP_CLOCK,
                   FAULT_GROUP_PROCESS, FAULT_GROUP_CLIENT, FAULT_GROUP_COUNT };

#endif
