"""gdb commands for Norn: fibers and their backtraces. Works on a live process and on a core file.

    (gdb) source tools/gdb/norn.py
    (gdb) norn fibers                 every loop's fibers, by name
    (gdb) norn fibers bt              with their backtraces
    (gdb) norn fiber ADDRESS          one of them
    (gdb) norn fibers bt EXPRESSION   those of one loop, given as a `struct io *`
    (gdb) norn sim                    in norn-sim: seed, virtual time, event, the node whose code runs, and all nodes

A backtrace follows frame pointers, which our builds keep: nothing of the process is changed to read it.
"""

import gdb

FRAMES_MAX = 64

# Where the switch of each processor leaves things on a stack (src/fiber/context_*.S), in words.
LAYOUTS = {"x86-64": {"frame_pointer": 6, "return_address": 7}, "aarch64": {"frame_pointer": 10, "return_address": 11}}


def word(address):
    kind = gdb.lookup_type("unsigned long")
    return int(gdb.Value(address).cast(kind.pointer()).dereference())


def layout():
    name = gdb.selected_inferior().architecture().name()
    for key, value in LAYOUTS.items():
        if key in name:
            return value
    raise gdb.GdbError("no layout of stacks is known for " + name)


def list_entries(head, type_name, member):
    """The structs whose `member` is linked into the list `head`."""
    struct = gdb.lookup_type(type_name)
    offset = next(f.bitpos // 8 for f in struct.fields() if f.name == member)
    node = head["next"]
    while node != head.address:
        yield gdb.Value(int(node) - offset).cast(struct.pointer()).dereference()
        node = node["next"]


def fibers_of(io):
    slots = io["slots"]
    index = int(gdb.parse_and_eval("IO_SLOT_FIBERS"))
    pointer = slots[index]
    if int(pointer) == 0:
        return None
    return pointer.cast(gdb.lookup_type("struct fibers").pointer()).dereference()


def loops():
    """Every loop of the process: pairs of a name and a struct io."""
    node = gdb.lookup_static_symbol("ended_nodes") or gdb.lookup_global_symbol("ended_nodes")
    if node is None:
        yield from simulated_loops()
        return
    node = node.value()
    while int(node) != 0:
        for i in range(int(atomic(node["loop_count"]))):
            io = atomic(node["loops"][i])
            yield "loop %d" % i, io.dereference()
        node = node["previous"]


def simulation():
    """The simulator's sim_current; it has a world while a run goes on."""
    current = gdb.lookup_global_symbol("sim_current")
    if current is None:
        raise gdb.GdbError("neither the io_uring backend nor the simulator")
    current = current.value()
    if int(current["world"]) == 0:
        raise gdb.GdbError("no world runs")
    return current


def simulated_nodes(world):
    for i in range(int(world["node_count"])):
        yield world["nodes"][i].dereference()


def simulated_loops():
    for node in simulated_nodes(simulation()["world"]):
        for i in range(int(node["loop_count"])):
            yield "%s/%d" % (node["spec"]["name"].string(), i), node["loops"][i].dereference()


def atomic(value):
    """The value within an _Atomic one; compilers describe those in several ways."""
    kind = value.type.strip_typedefs()
    if kind.code == gdb.TYPE_CODE_PTR or kind.code == gdb.TYPE_CODE_INT:
        return value
    return value.cast(kind.unqualified())


def describe(pc):
    block = gdb.block_for_pc(pc - 1)
    while block is not None and block.function is None:
        block = block.superblock
    line = gdb.find_pc_line(pc - 1)
    name = block.function.name if block is not None else "??"
    if line.symtab is None:
        return name
    return "%s at %s:%d" % (name, line.symtab.filename, line.line)


def backtrace(fiber, indent="    "):
    places = layout()
    stack = int(fiber["stack"])
    top = stack + int(fiber["stack_size"])
    sp = int(fiber["context"]["sp"])
    frame = word(sp + 8 * places["frame_pointer"])
    pc = word(sp + 8 * places["return_address"])
    for number in range(FRAMES_MAX):
        if pc == 0:
            break
        print("%s#%-2d %s" % (indent, number, describe(pc)))
        if not stack <= frame < top - 16:
            break
        pc = word(frame + 8)
        frame = word(frame)


def state(fibers, fiber):
    if int(fibers["current"]) == int(fiber.address):
        return "running"
    return "waiting" if fiber["parked"] else "runnable"


def show(name, io, with_backtraces):
    fibers = fibers_of(io)
    if fibers is None:
        print("%s: no fibers" % name)
        return
    print("%s: %d fibers" % (name, int(fibers["count"])))
    for fiber in list_entries(fibers["all"], "struct fiber", "all_link"):
        what = state(fibers, fiber)
        print("  %#x  %-9s %s" % (int(fiber.address), what, fiber["name"].string()))
        if with_backtraces and what != "running":
            backtrace(fiber)


class Norn(gdb.Command):
    """Commands for Norn: norn fibers, norn fiber, norn sim."""

    def __init__(self):
        super().__init__("norn", gdb.COMMAND_USER, prefix=True)


class Fibers(gdb.Command):
    """norn fibers [bt] [LOOP]: the fibers of all loops, or of one given as a struct io *."""

    def __init__(self):
        super().__init__("norn fibers", gdb.COMMAND_STACK)

    def invoke(self, argument, from_tty):
        words = argument.split(None, 1)
        with_backtraces = bool(words) and words[0] == "bt"
        if with_backtraces:
            words = words[1:]
        if words:
            io = gdb.parse_and_eval(" ".join(words))
            show("loop %s" % " ".join(words), io.dereference(), with_backtraces)
            return
        for name, io in loops():
            show(name, io, with_backtraces)


class Sim(gdb.Command):
    """norn sim: where the simulation is."""

    def __init__(self):
        super().__init__("norn sim", gdb.COMMAND_STATUS)

    def invoke(self, argument, from_tty):
        current = simulation()
        world = current["world"]
        node = current["node"]
        where = node["spec"]["name"].string() if int(node) else "no node"
        if int(current["helper"]):
            where += ", helper " + current["helper"]["name"].string()
        print("seed %d, %.9f s, io event %d, in %s" % (
            int(world["options"]["seed"]), int(world["now"]) / 1e9, int(world["events"]), where))
        for node in simulated_nodes(world):
            print("  %-12s %-12s life %d, boundary %d, %d loops" % (
                node["spec"]["name"].string(), str(node["state"]), int(node["incarnation"]), int(node["boundary"]),
                int(node["loop_count"])))


class Fiber(gdb.Command):
    """norn fiber ADDRESS: the backtrace of one waiting fiber."""

    def __init__(self):
        super().__init__("norn fiber", gdb.COMMAND_STACK)

    def invoke(self, argument, from_tty):
        address = int(gdb.parse_and_eval(argument))
        fiber = gdb.Value(address).cast(gdb.lookup_type("struct fiber").pointer()).dereference()
        print(fiber["name"].string())
        backtrace(fiber, "  ")


Norn()
Fibers()
Fiber()
Sim()
