//! Norn's build. `./zig build --help` lists the steps and options; docs/contributing.md explains them.
//!
//! Sources are found by their place in the tree, so that a new file needs no edit here:
//!
//!   src/**.c, *.S                one static library per folder of src (libnorn_net.a, ...): the core
//!   src/main.c                   the `norn` executable
//!   src/io/uring*.c              the production backend: only in norn, norn-bench and contract tests
//!   src/net/tls_boringssl*.c     lib/norn/libnorn_tls.so, opened by dlopen
//!   sim/main.c, sim/**.c         the `norn-sim` executable, and a library for tests
//!   sim/replay*.c                the `norn-replay` executable, which `norn-sim --replay` starts
//!   bench/**.c                   norn-bench; step `bench` runs bench/run.py, which runs it against each server
//!   tests/unit/**_test.c         one cmocka program each, on the simulated backend
//!   tests/contract/*_contract.c  one program for each backend; both must print the same
//!   tests/{unit,contract}/**.c   what else is there is linked to those programs
//!   tests/{integration,sdk}/*.sh run with NORN and NORN_SIM set; only executable files
//!   include/                     public headers
//!   fuzz/*_fuzz.c                one libFuzzer program each
//!   proto/**.proto               our own messages
//!
//! A file that ends in _x86_64 or _aarch64 is compiled for that machine only.

const std = @import("std");

const version = "0.1.0";
const api_parts = 8; // As in tools/gen_protos.py.

const warnings = [_][]const u8{
    "-Wall",                           "-Wextra",
    "-Werror",                         "-Wshadow",
    "-Wvla",                           "-Wstrict-prototypes",
    "-Wmissing-prototypes",            "-Wold-style-definition",
    "-Wpointer-arith",                 "-Wwrite-strings",
    "-Wimplicit-fallthrough",          "-Wundef",
    "-Wformat-security",               "-Wno-unused-parameter",
    "-Wno-missing-field-initializers",
};
const c_flags = [_][]const u8{
    "-std=gnu11",
    "-D_GNU_SOURCE",
    "-DNORN_VERSION=\"" ++ version ++ "\"",
    "-Ulinux", // A field of a generated message has this name.
    "-Uunix",
    "-DPROTOBUF_C__NO_DEPRECATED", // Old clients use such fields.
    "-fno-strict-aliasing",
    "-fno-omit-frame-pointer",
};

const Sources = struct {
    core: []const Folder,
    uring: []const []const u8,
    tls: []const []const u8,
    sim: []const []const u8,
    replay: []const []const u8,
    bench: []const []const u8,
    unit: []const []const u8,
    unit_support: []const []const u8,
    contract: []const []const u8,
    contract_support: []const []const u8,
    fuzz: []const []const u8,
    integration: []const []const u8,
    proto: []const []const u8,
    has_main: bool,
    has_sim_main: bool,

    const Folder = struct { name: []const u8, files: []const []const u8 };

    fn find(b: *std.Build) Sources {
        const src = glob(b, "src", &.{ ".c", ".S" });
        var folders: std.StringArrayHashMapUnmanaged(std.ArrayList([]const u8)) = .empty;
        for (src) |path| {
            if (eql(path, "src/main.c") or isUring(path) or isTls(path)) continue;
            const below = path["src/".len..];
            const name = if (std.mem.indexOfScalar(u8, below, '/')) |i| below[0..i] else "top";
            const entry = folders.getOrPut(b.allocator, name) catch @panic("OOM");
            if (!entry.found_existing) entry.value_ptr.* = .empty;
            entry.value_ptr.append(b.allocator, path) catch @panic("OOM");
        }
        var core: std.ArrayList(Folder) = .empty;
        for (folders.keys(), folders.values()) |name, files| {
            core.append(b.allocator, .{ .name = name, .files = files.items }) catch @panic("OOM");
        }
        const sim = glob(b, "sim", &.{ ".c", ".S" });
        const unit = glob(b, "tests/unit", &.{".c"});
        const contract = glob(b, "tests/contract", &.{".c"});
        const scripts = [_][]const []const u8{
            flatGlob(b, "tests/integration", ".sh"),
            flatGlob(b, "tests/sdk", ".sh"),
        };
        return .{
            .core = core.items,
            .uring = filter(b, src, isUring, true),
            .tls = filter(b, src, isTls, true),
            .sim = filter(b, filter(b, sim, isMain, false), isReplay, false),
            .replay = filter(b, sim, isReplay, true),
            .bench = glob(b, "bench", &.{".c"}),
            .unit = filter(b, unit, isTest, true),
            .unit_support = filter(b, unit, isTest, false),
            .contract = filter(b, contract, isContract, true),
            .contract_support = filter(b, contract, isContract, false),
            .fuzz = filter(b, flatGlob(b, "fuzz", ".c"), isFuzz, true),
            .integration = executables(b, concat(b, &scripts)),
            .proto = glob(b, "proto", &.{".proto"}),
            .has_main = contains(src, "src/main.c"),
            .has_sim_main = contains(sim, "sim/main.c"),
        };
    }
};

/// One compilation of everything: for a machine, an optimization mode, with or without checks.
const Variant = struct {
    core: []const *std.Build.Step.Compile,
    uring: ?*std.Build.Step.Compile,
    sim: ?*std.Build.Step.Compile,
};

const Options = struct {
    target: std.Build.ResolvedTarget,
    optimize: std.builtin.OptimizeMode,
    plants: bool,
};

const Builder = struct {
    b: *std.Build,
    sources: Sources,
    gen: std.Build.LazyPath,
    zones: std.Build.LazyPath,
    headers: std.Build.LazyPath,
    /// Where Debian keeps the libraries of this machine.
    lib_dir: []const u8,
    plants: bool,
    /// Public headers of the worker SDK.
    has_include: bool,
    test_filter: ?[]const u8,
    /// A C file with the name of the commit: linked to programs only, so that a commit compiles nothing else again.
    commit: std.Build.LazyPath,
    /// A folder with view_page.h: sim/view.html as a text of C.
    view: std.Build.LazyPath,
    api: *std.Build.Step.Compile = undefined,

    fn module(n: *Builder, o: Options) *std.Build.Module {
        const debug = o.optimize == .Debug;
        const m = n.b.createModule(.{
            .target = o.target,
            .optimize = o.optimize,
            .link_libc = true,
            .pic = true,
            .omit_frame_pointer = false,
            .sanitize_c = if (debug) .full else .off,
        });
        m.addIncludePath(n.b.path("src"));
        if (n.has_include) m.addIncludePath(n.b.path("include"));
        m.addSystemIncludePath(n.gen);
        m.addSystemIncludePath(n.zones);
        m.addSystemIncludePath(n.headers);
        return m;
    }

    fn flags(n: *Builder, o: Options) []const []const u8 {
        const plants: []const []const u8 = if (o.plants) &.{"-DNORN_PLANTS"} else &.{};
        return concat(n.b, &.{ &c_flags, &warnings, plants });
    }

    fn addFiles(n: *Builder, m: *std.Build.Module, o: Options, files: []const []const u8) void {
        var fitting: std.ArrayList([]const u8) = .empty;
        for (files) |path| {
            if (fitsMachine(path, o.target.result.cpu.arch)) fitting.append(n.b.allocator, path) catch @panic("OOM");
        }
        m.addCSourceFiles(.{ .files = fitting.items, .flags = n.flags(o) });
    }

    fn library(n: *Builder, name: []const u8, o: Options, files: []const []const u8, sees_sim: bool) *std.Build.Step.Compile {
        const m = n.module(o);
        if (sees_sim) m.addIncludePath(n.b.path("sim"));
        if (sees_sim) m.addIncludePath(n.view);
        n.addFiles(m, o, files);
        const lib = n.b.addLibrary(.{ .name = n.b.fmt("norn_{s}", .{name}), .root_module = m, .linkage = .static, .use_llvm = true });
        lib.bundle_ubsan_rt = false;
        lib.bundle_compiler_rt = false;
        return lib;
    }

    fn variant(n: *Builder, o: Options) Variant {
        const s = n.sources;
        var core: std.ArrayList(*std.Build.Step.Compile) = .empty;
        for (s.core) |folder| core.append(n.b.allocator, n.library(folder.name, o, folder.files, false)) catch @panic("OOM");
        return .{
            .core = core.items,
            .uring = if (s.uring.len > 0) n.library("uring", o, s.uring, false) else null,
            .sim = if (s.sim.len > 0) n.library("sim", o, s.sim, true) else null,
        };
    }

    fn apiLibrary(n: *Builder, target: std.Build.ResolvedTarget) *std.Build.Step.Compile {
        const m = n.b.createModule(.{ .target = target, .optimize = .ReleaseFast, .link_libc = true, .pic = true, .sanitize_c = .off });
        m.addSystemIncludePath(n.gen);
        m.addSystemIncludePath(n.headers);
        for (0..api_parts) |i| {
            m.addCSourceFile(.{
                .file = n.gen.path(n.b, n.b.fmt("norn_api_{d}.c", .{i})),
                .flags = &.{ "-std=gnu11", "-w", "-Ulinux", "-Uunix", "-fno-strict-aliasing" },
            });
        }
        const lib = n.b.addLibrary(.{ .name = "norn_api", .root_module = m, .linkage = .static, .use_llvm = true });
        lib.bundle_ubsan_rt = false;
        lib.bundle_compiler_rt = false;
        return lib;
    }

    /// Replay has no library: norn-replay alone is linked with it.
    const Backend = enum { uring, sim, replay };

    fn executable(n: *Builder, name: []const u8, o: Options, v: Variant, backend: Backend, files: []const []const u8) *std.Build.Step.Compile {
        const m = n.module(o);
        if (backend != .uring) m.addIncludePath(n.b.path("sim"));
        n.addFiles(m, o, files);
        m.addCSourceFile(.{ .file = n.commit, .flags = n.flags(o) });
        const exe = n.b.addExecutable(.{ .name = name, .root_module = m, .use_llvm = true, .use_lld = true });
        exe.pie = true;
        const backend_library = switch (backend) {
            .sim => v.sim,
            .uring => v.uring,
            .replay => null,
        };
        if (backend_library) |lib| m.linkLibrary(lib);
        for (v.core) |lib| m.linkLibrary(lib);
        m.linkLibrary(n.api);
        for (third_party) |lib| m.addObjectFile(n.archive(lib));
        if (backend == .uring) m.addObjectFile(n.archive("uring"));
        return exe;
    }

    fn archive(n: *Builder, name: []const u8) std.Build.LazyPath {
        return .{ .cwd_relative = n.b.fmt("{s}/lib{s}.a", .{ n.lib_dir, name }) };
    }

    fn tlsModule(n: *Builder, o: Options) *std.Build.Module {
        const m = n.b.createModule(.{
            .target = o.target,
            .optimize = o.optimize,
            .link_libc = true,
            .pic = true,
            .omit_frame_pointer = false,
            .sanitize_c = .off,
        });
        // BoringSSL's headers first: libssl-dev has files of the same names.
        m.addIncludePath(.{ .cwd_relative = "/usr/include/android" });
        m.addIncludePath(n.b.path("src"));
        n.addFiles(m, o, n.sources.tls);
        return m;
    }

    fn tls(n: *Builder, o: Options) *std.Build.Step.Compile {
        const m = n.tlsModule(o);
        const dir = n.b.fmt("{s}/android", .{n.lib_dir});
        for ([_][]const u8{ "ssl", "crypto" }) |lib| {
            m.addObjectFile(.{ .cwd_relative = n.b.fmt("{s}/lib{s}.so.0", .{ dir, lib }) });
        }
        m.addRPath(.{ .cwd_relative = dir });
        return n.b.addLibrary(.{ .name = "norn_tls", .root_module = m, .linkage = .dynamic, .use_llvm = true, .use_lld = true });
    }

    fn wanted(n: *Builder, path: []const u8) bool {
        const part = n.test_filter orelse return true;
        return std.mem.indexOf(u8, path, part) != null;
    }
};

const third_party = [_][]const u8{ "nghttp2", "protobuf-c", "sqlite3", "yaml", "jansson", "z", "http_parser" };

pub fn build(b: *std.Build) void {
    const target = b.standardTargetOptions(.{ .default_target = .{
        .cpu_model = switch (b.graph.host.result.cpu.arch) {
            .x86_64 => .{ .explicit = &std.Target.x86.cpu.x86_64_v2 },
            else => .baseline,
        },
    } });
    const optimize = b.option(std.builtin.OptimizeMode, "optimize", "Mode of the installed programs (default: ReleaseSafe); tests are always Debug") orelse .ReleaseSafe;
    const plants = b.option(bool, "plants", "Compile planted bugs in (NORN_PLANTS), to prove that tests find them") orelse false;
    const test_filter = b.option([]const u8, "test-filter", "Run only tests whose path contains this");
    const fuzz_seconds = b.option(u32, "fuzz-seconds", "How long each fuzz target runs (default: 60)") orelse 60;

    const release: Options = .{ .target = target, .optimize = optimize, .plants = plants };
    const debug: Options = .{ .target = target, .optimize = .Debug, .plants = plants };

    const sources = Sources.find(b);
    var n: Builder = .{
        .b = b,
        .sources = sources,
        .gen = generate(b, sources),
        .zones = generateZones(b),
        .headers = thirdPartyHeaders(b),
        .lib_dir = libDir(b, target.result.cpu.arch),
        .plants = plants,
        .has_include = exists(b.pathFromRoot("include")),
        .commit = commitFile(b),
        .view = viewPage(b),
        .test_filter = test_filter,
    };
    n.api = n.apiLibrary(target);

    const run_step = b.step("run", "Run `norn server`; arguments after -- are passed on (--demo, --data DIR, ...)");
    const test_step = b.step("test", "Run every test and check");
    const unit_step = b.step("test-unit", "Run the unit tests");
    const contract_step = b.step("test-contract", "Run the contract tests on both backends and compare");
    const integration_step = b.step("test-integration", "Run the integration and SDK tests");
    const asan_step = b.step("test-asan", "Run unit and contract tests with clang's address, leak and undefined sanitizers");
    const aarch64_step = b.step("check-aarch64", "Compile everything for aarch64, without linking");
    const seam_step = b.step("check-seam", "Check that nothing but src/io calls the kernel, clocks, entropy or threads");
    const sim_step = b.step("sim", "Run norn-sim; arguments after -- are passed on (--seed N)");
    const sim_bench_step = b.step("sim-bench", "Measure norn-sim on one core against its goals; a number after -- is how many seeds");
    const bench_step = b.step("bench", "Measure Norn and its peers side by side (bench/run.py); arguments after -- are passed on");
    const flame_step = b.step("flame", "Draw a flame graph of a running program (tools/flame.py); arguments after -- are passed on (--pid N)");
    const fuzz_step = b.step("fuzz", "Run each fuzz target for -Dfuzz-seconds");
    const release_step = b.step("release", "Install stripped programs, with assertions on");
    const api_step = b.step("api", "Install the generated API code into zig-out/gen, to look at it");

    api_step.dependOn(&b.addInstallDirectory(.{ .source_dir = n.gen, .install_dir = .prefix, .install_subdir = "gen" }).step);

    // --- programs ------------------------------------------------------------------------------
    const fast = n.variant(release);
    b.getInstallStep().dependOn(&n.api.step);
    for (fast.core) |lib| b.getInstallStep().dependOn(&lib.step);

    if (sources.tls.len > 0) {
        const dir: std.Build.Step.InstallArtifact.Options.Dir = .{ .override = .{ .custom = "lib/norn" } };
        const install = b.addInstallArtifact(n.tls(release), .{ .dest_dir = dir });
        b.getInstallStep().dependOn(&install.step);
        release_step.dependOn(&install.step);
    }
    var norn: ?*std.Build.Step.Compile = null;
    if (sources.has_main) {
        const exe = n.executable("norn", release, fast, .uring, &.{"src/main.c"});
        norn = exe;
        b.installArtifact(exe);
        const stripped = n.executable("norn", release, fast, .uring, &.{"src/main.c"});
        stripped.root_module.strip = true;
        release_step.dependOn(&b.addInstallArtifact(stripped, .{}).step);

        const args = b.args orelse &.{};
        const demo = contains(args, "--demo") or contains(args, "--demo-once");
        const run = if (demo) runDemo(b) else runInstalled(b, "norn");
        if (!demo) run.addArg("server");
        run.addArgs(args);
        run_step.dependOn(&run.step);
    } else run_step.dependOn(&b.addFail("src/main.c does not exist yet").step);

    var norn_sim: ?*std.Build.Step.Compile = null;
    var norn_replay: ?*std.Build.Step.Compile = null;
    if (sources.has_sim_main) {
        const exe = n.executable("norn-sim", release, fast, .sim, &.{"sim/main.c"});
        norn_sim = exe;
        b.installArtifact(exe);
        const stripped = n.executable("norn-sim", release, fast, .sim, &.{"sim/main.c"});
        stripped.root_module.strip = true;
        release_step.dependOn(&b.addInstallArtifact(stripped, .{}).step);

        norn_replay = n.executable("norn-replay", release, fast, .replay, sources.replay);
        b.installArtifact(norn_replay.?);

        const run = runInstalled(b, "norn-sim");
        if (b.args) |args| run.addArgs(args);
        sim_step.dependOn(&run.step);

        const measure = b.addSystemCommand(&.{ python(b), b.pathFromRoot("tools/sim_bench.py"), b.getInstallPath(.bin, "norn-sim") });
        measure.stdio = .inherit;
        measure.step.dependOn(b.getInstallStep());
        if (b.args) |args| measure.addArgs(args);
        sim_bench_step.dependOn(&measure.step);
    } else sim_step.dependOn(&b.addFail("sim/main.c does not exist yet").step);

    const flame = b.addSystemCommand(&.{ python(b), b.pathFromRoot("tools/flame.py") });
    flame.stdio = .inherit;
    if (b.args) |args| flame.addArgs(args);
    flame_step.dependOn(&flame.step);

    if (sources.bench.len > 0) {
        const exe = n.executable("norn-bench", release, fast, .uring, sources.bench);
        const install = b.addInstallArtifact(exe, .{});
        b.getInstallStep().dependOn(&install.step);
        const run = b.addSystemCommand(&.{ python(b), b.pathFromRoot("bench/run.py") });
        run.stdio = .inherit;
        run.step.dependOn(b.getInstallStep());
        run.setCwd(b.path("."));
        run.setEnvironmentVariable("NORN", b.getInstallPath(.bin, "norn"));
        run.setEnvironmentVariable("NORN_BENCH", b.getInstallPath(.bin, "norn-bench"));
        if (b.args) |args| run.addArgs(args);
        bench_step.dependOn(&run.step);
    } else bench_step.dependOn(&b.addFail("there are no benchmarks yet").step);

    b.getInstallStep().dependOn(CompileCommands.add(&n, debug));

    // --- checks --------------------------------------------------------------------------------
    const checked = n.variant(debug);
    for (checked.core) |lib| unit_step.dependOn(&lib.step);
    for (sources.unit) |path| {
        if (!n.wanted(path)) continue;
        const exe = n.executable(std.fs.path.stem(path), debug, checked, .sim, concat(b, &.{ &.{path}, sources.unit_support }));
        exe.root_module.addIncludePath(b.path("tests"));
        exe.root_module.addObjectFile(.{ .cwd_relative = b.fmt("{s}/libcmocka.so", .{n.lib_dir}) });
        unit_step.dependOn(quietTest(b, exe.getEmittedBin(), b.fmt("unit test {s}", .{path})));
    }
    for (sources.contract) |path| {
        if (!n.wanted(path)) continue;
        const files = concat(b, &.{ &.{path}, sources.contract_support });
        const on_uring = n.executable(b.fmt("{s}-uring", .{std.fs.path.stem(path)}), debug, checked, .uring, files);
        const on_sim = n.executable(b.fmt("{s}-sim", .{std.fs.path.stem(path)}), debug, checked, .sim, files);
        const run = b.addSystemCommand(&.{"sh"});
        run.addFileArg(b.path("tools/contract.sh"));
        run.addFileArg(on_uring.getEmittedBin());
        run.addFileArg(on_sim.getEmittedBin());
        run.setName(b.fmt("contract test {s}", .{path}));
        run.has_side_effects = true;
        contract_step.dependOn(&run.step);
    }

    sanitized(&n, asan_step);
    fuzzers(&n, fuzz_step, fuzz_seconds);

    const aarch64: Options = .{
        .target = b.resolveTargetQuery(.{ .cpu_arch = .aarch64, .os_tag = .linux, .abi = .gnu }),
        .optimize = .Debug,
        .plants = plants,
    };
    const cross = n.variant(aarch64);
    for (cross.core) |lib| aarch64_step.dependOn(&lib.step);
    if (cross.uring) |lib| aarch64_step.dependOn(&lib.step);
    if (cross.sim) |lib| aarch64_step.dependOn(&lib.step);
    if (sources.has_main) aarch64_step.dependOn(&n.library("main", aarch64, &.{"src/main.c"}, false).step);
    if (sources.has_sim_main) {
        aarch64_step.dependOn(&n.library("sim_main", aarch64, &.{"sim/main.c"}, true).step);
        aarch64_step.dependOn(&n.library("replay", aarch64, sources.replay, true).step);
    }
    if (sources.bench.len > 0) aarch64_step.dependOn(&n.library("bench", aarch64, sources.bench, false).step);
    if (sources.tls.len > 0) {
        const tls = b.addLibrary(.{ .name = "norn_tls", .root_module = n.tlsModule(aarch64), .linkage = .static, .use_llvm = true });
        aarch64_step.dependOn(&tls.step);
    }

    const seam = b.addSystemCommand(&.{python(b)});
    seam.addFileArg(b.path("tools/check_seam.py"));
    seam.addFileArg(b.path("tools/seam_allow.txt"));
    for (fast.core) |lib| seam.addPrefixedFileArg("core=", lib.getEmittedBin());
    if (fast.sim) |lib| seam.addPrefixedFileArg("sim=", lib.getEmittedBin());
    if (norn) |exe| seam.addPrefixedFileArg("norn=", exe.getEmittedBin());
    for ([_]?*std.Build.Step.Compile{ norn_sim, norn_replay }) |program| {
        if (program) |exe| seam.addPrefixedFileArg("norn-sim=", exe.getEmittedBin());
    }
    seam.setName("check the seam");
    seam.expectExitCode(0);
    seam_step.dependOn(&seam.step);

    // Scripts watch the clock. Under `test` they come after everything else, when nothing keeps the machine busy.
    var others: std.ArrayList(*std.Build.Step) = .empty;
    others.appendSlice(b.allocator, &.{ b.getInstallStep(), unit_step, contract_step, asan_step, aarch64_step, seam_step }) catch @panic("OOM");
    const planted = plantedPrograms(&n, release, fast);
    if (planted) |step| others.append(b.allocator, step) catch @panic("OOM");
    for (others.items) |step| test_step.dependOn(step);
    integrationTests(&n, test_step, others.items, planted != null);
    const programs: []const *std.Build.Step = if (planted) |step| &.{ b.getInstallStep(), step } else &.{b.getInstallStep()};
    integrationTests(&n, integration_step, programs, planted != null);
}

/// Scripts, one by one.
fn integrationTests(n: *Builder, step: *std.Build.Step, first: []const *std.Build.Step, planted: bool) void {
    const b = n.b;
    var before: ?*std.Build.Step = null;
    for (n.sources.integration) |path| {
        if (!n.wanted(path)) continue;
        const run = b.addSystemCommand(&.{ "sh", b.pathFromRoot("tools/integration.sh"), b.pathFromRoot(path) });
        run.setName(path);
        run.setCwd(b.path("."));
        run.setEnvironmentVariable("NORN", b.getInstallPath(.bin, "norn"));
        run.setEnvironmentVariable("NORN_SIM", b.getInstallPath(.bin, "norn-sim"));
        if (planted) {
            run.setEnvironmentVariable("NORN_PLANTED", b.getInstallPath(.bin, "norn-planted"));
            run.setEnvironmentVariable("NORN_SIM_PLANTED", b.getInstallPath(.bin, "norn-sim-planted"));
        }
        run.setEnvironmentVariable("NORN_PYTHON", python(b));
        run.has_side_effects = true;
        for (first) |s| run.step.dependOn(s);
        if (before) |s| run.step.dependOn(s);
        before = &run.step;
        step.dependOn(&run.step);
    }
}

/// norn-planted and norn-sim-planted: with planted bugs (base/plant.h), to prove that tests find such bugs.
/// Only folders that have some are compiled again. Null if there are none.
fn plantedPrograms(n: *Builder, o: Options, plain: Variant) ?*std.Build.Step {
    const b = n.b;
    const s = n.sources;
    const word = "#include \"base/plant.h\"";
    const options: Options = .{ .target = o.target, .optimize = o.optimize, .plants = true };
    const everywhere = mentions(b, glob(b, "src", &.{".h"}), word);
    var any = everywhere;
    var core: std.ArrayList(*std.Build.Step.Compile) = .empty;
    for (s.core, plain.core) |folder, lib| {
        const again = everywhere or mentions(b, folder.files, word);
        any = any or again;
        core.append(b.allocator, if (again) n.library(folder.name, options, folder.files, false) else lib) catch @panic("OOM");
    }
    const uring = mentions(b, s.uring, word);
    if (!any and !uring) return null;
    const v: Variant = .{
        .core = core.items,
        .uring = if (uring or everywhere) n.library("uring", options, s.uring, false) else plain.uring,
        .sim = if (s.sim.len > 0 and (everywhere or mentions(b, s.sim, word))) n.library("sim", options, s.sim, true) else plain.sim,
    };
    const step = b.step("planted", "Install norn-planted and norn-sim-planted, which have bugs that tests must find");
    if (s.has_main) {
        step.dependOn(&b.addInstallArtifact(n.executable("norn-planted", options, v, .uring, &.{"src/main.c"}), .{}).step);
    }
    if (s.has_sim_main) {
        step.dependOn(&b.addInstallArtifact(n.executable("norn-sim-planted", options, v, .sim, &.{"sim/main.c"}), .{}).step);
    }
    return step;
}

/// Writes compile_commands.json, for editors.
const CompileCommands = struct {
    step: std.Build.Step,
    n: Builder,
    options: Options,

    fn add(n: *Builder, options: Options) *std.Build.Step {
        const b = n.b;
        const c = b.allocator.create(CompileCommands) catch @panic("OOM");
        c.* = .{
            .step = .init(.{ .id = .custom, .name = "compile_commands.json", .owner = b, .makeFn = make }),
            .n = n.*,
            .options = options,
        };
        n.gen.addStepDependencies(&c.step);
        n.zones.addStepDependencies(&c.step);
        n.headers.addStepDependencies(&c.step);
        return &c.step;
    }

    fn make(step: *std.Build.Step, _: std.Build.Step.MakeOptions) !void {
        const c: *CompileCommands = @fieldParentPtr("step", step);
        const b = step.owner;
        var flags: std.ArrayList(u8) = .empty;
        for (concat(b, &.{ &.{ "cc", "-c" }, c.n.flags(c.options) })) |flag| {
            try flags.print(b.allocator, "\"{s}\", ", .{try std.mem.replaceOwned(u8, b.allocator, flag, "\"", "\\\"")});
        }
        for ([_][]const u8{ "src", "include", "sim", "tests" }) |dir| try flags.print(b.allocator, "\"-I{s}\", ", .{dir});
        for ([_]std.Build.LazyPath{ c.n.gen, c.n.zones, c.n.headers }) |dir| {
            try flags.print(b.allocator, "\"-isystem\", \"{s}\", ", .{dir.getPath2(b, step)});
        }
        var out: std.ArrayList(u8) = .empty;
        try out.appendSlice(b.allocator, "[\n");
        var comma: []const u8 = "";
        for ([_][]const u8{ "src", "sim", "tests/unit", "tests/contract", "bench", "fuzz" }) |dir| {
            for (glob(b, dir, &.{".c"})) |path| {
                try out.print(b.allocator, "{s}{{\"directory\": \"{s}\", \"file\": \"{s}\", \"arguments\": [{s}\"{s}\"]}}", .{
                    comma, b.pathFromRoot("."), path, flags.items, path,
                });
                comma = ",\n";
            }
        }
        try out.appendSlice(b.allocator, "\n]\n");
        try b.build_root.handle.writeFile(.{ .sub_path = "compile_commands.json", .data = out.items });
    }
};

/// The API's C code, made from descriptors and from our own .proto files.
fn generate(b: *std.Build, sources: Sources) std.Build.LazyPath {
    const run = b.addSystemCommand(&.{ python(b), "-B" });
    run.setName("generate the API code");
    run.addFileArg(b.path("tools/gen_protos.py"));
    run.addDirectoryArg(b.path("proto"));
    for (sources.proto) |path| run.addFileInput(b.path(path));
    return run.addOutputDirectoryArg("gen");
}

/// The tables of time zones.
fn generateZones(b: *std.Build) std.Build.LazyPath {
    const run = b.addSystemCommand(&.{ python(b), "-B" });
    run.setName("generate the time zones");
    run.addFileArg(b.path("tools/gen_zones.py"));
    return run.addOutputDirectoryArg("zones");
}

/// The source of norn_commit (base/commit.h).
fn commitFile(b: *std.Build) std.Build.LazyPath {
    var code: u8 = 0;
    const command = [_][]const u8{ "git", "-C", b.build_root.path orelse ".", "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*" };
    const found = b.runAllowFail(&command, &code, .Ignore) catch "unknown";
    const text = b.fmt("#include \"base/commit.h\"\nconst char norn_commit[] = \"{s}\";\n", .{std.mem.trim(u8, found, " \n")});
    return b.addWriteFiles().add("norn_commit.c", text);
}

fn viewPage(b: *std.Build) std.Build.LazyPath {
    const page = b.build_root.handle.readFileAlloc(b.allocator, "sim/view.html", 1 << 20) catch @panic("sim/view.html cannot be read");
    var out: std.ArrayList(u8) = .empty;
    out.appendSlice(b.allocator, "static const char view_page[] =\n    \"") catch @panic("OOM");
    for (page) |c| switch (c) {
        '\n' => out.appendSlice(b.allocator, "\\n\"\n    \"") catch @panic("OOM"),
        '"', '\\' => out.appendSlice(b.allocator, &.{ '\\', c }) catch @panic("OOM"),
        else => out.append(b.allocator, c) catch @panic("OOM"),
    };
    out.appendSlice(b.allocator, "\";\n") catch @panic("OOM");
    const files = b.addWriteFiles();
    _ = files.add("view_page.h", out.items);
    return files.getDirectory();
}

/// Debian's headers of the libraries that we use, and no others: they suit every machine.
fn thirdPartyHeaders(b: *std.Build) std.Build.LazyPath {
    const files = b.addWriteFiles();
    for ([_][]const u8{ "nghttp2", "protobuf-c", "liburing" }) |name| {
        _ = files.addCopyDirectory(.{ .cwd_relative = b.fmt("/usr/include/{s}", .{name}) }, name, .{});
    }
    for ([_][]const u8{
        "liburing.h", "sqlite3.h",    "xxhash.h",         "xxh3.h",
        "zlib.h",     "yaml.h",       "jansson.h",        "cmocka.h",
        "zconf.h",    "cmocka_pbc.h", "jansson_config.h", "http_parser.h",
    }) |name| {
        for ([_][]const u8{ "/usr/include", b.fmt("/usr/include/{s}", .{triple(b.graph.host.result.cpu.arch)}) }) |dir| {
            const path = b.pathJoin(&.{ dir, name });
            if (exists(path)) {
                _ = files.addCopyFile(.{ .cwd_relative = path }, name);
                break;
            }
        }
    }
    return files.getDirectory();
}

/// Programs compiled by Debian's clang, file by file, with its sanitizers.
const Clang = struct {
    n: *Builder,
    path: []const u8,
    checks: []const u8,

    fn object(c: Clang, path: []const u8) std.Build.LazyPath {
        const b = c.n.b;
        const run = b.addSystemCommand(&.{ c.path, "-c", "-O1", "-g", c.checks, clangMachine(b), "-fno-sanitize-recover=all" });
        run.setName(b.fmt("clang {s}", .{path}));
        if (c.n.plants) run.addArg("-DNORN_PLANTS");
        if (std.mem.endsWith(u8, path, ".c")) run.addArgs(concat(b, &.{ &c_flags, &warnings }));
        run.addPrefixedDirectoryArg("-I", b.path("src"));
        if (c.n.has_include) run.addPrefixedDirectoryArg("-I", b.path("include"));
        run.addPrefixedDirectoryArg("-I", b.path("sim"));
        run.addPrefixedDirectoryArg("-I", c.n.view);
        run.addPrefixedDirectoryArg("-I", b.path("tests"));
        run.addPrefixedDirectoryArg("-isystem", c.n.gen);
        run.addPrefixedDirectoryArg("-isystem", c.n.zones);
        run.addArgs(&.{ "-MD", "-MF" });
        _ = run.addDepFileOutputArg(b.fmt("{s}.d", .{std.fs.path.stem(path)}));
        run.addFileArg(b.path(path));
        run.addArg("-o");
        return run.addOutputFileArg(b.fmt("{s}.o", .{std.fs.path.stem(path)}));
    }

    fn objects(c: Clang, files: []const []const u8) []const std.Build.LazyPath {
        var out: std.ArrayList(std.Build.LazyPath) = .empty;
        for (files) |path| {
            if (!fitsMachine(path, c.n.b.graph.host.result.cpu.arch)) continue;
            out.append(c.n.b.allocator, c.object(path)) catch @panic("OOM");
        }
        return out.items;
    }

    fn archive(c: Clang, name: []const u8, files: []const []const u8) ?std.Build.LazyPath {
        if (files.len == 0) return null;
        const run = c.n.b.addSystemCommand(&.{ "ar", "rcsD" });
        run.setName(c.n.b.fmt("ar {s}", .{name}));
        const out = run.addOutputFileArg(name);
        for (c.objects(files)) |o| run.addFileArg(o);
        return out;
    }

    fn core(c: Clang) ?std.Build.LazyPath {
        var files: std.ArrayList([]const u8) = .empty;
        for (c.n.sources.core) |folder| files.appendSlice(c.n.b.allocator, folder.files) catch @panic("OOM");
        return c.archive("libcore.a", files.items);
    }

    fn link(c: Clang, name: []const u8, inputs: []const std.Build.LazyPath, archives: []const ?std.Build.LazyPath, libs: []const []const u8) std.Build.LazyPath {
        const b = c.n.b;
        const run = b.addSystemCommand(&.{ c.path, c.checks, "-g" });
        run.setName(b.fmt("link {s}", .{name}));
        run.addArg("-o");
        const out = run.addOutputFileArg(name);
        for (inputs) |o| run.addFileArg(o);
        run.addArgs(&.{ "-x", "c" });
        run.addPrefixedDirectoryArg("-I", b.path("src"));
        run.addFileArg(c.n.commit);
        run.addArgs(&.{ "-x", "none" });
        run.addArg("-Wl,--start-group");
        for (archives) |a| if (a) |path| run.addFileArg(path);
        run.addFileArg(c.n.api.getEmittedBin());
        run.addArg("-Wl,--end-group");
        for (third_party) |lib| run.addFileArg(c.n.archive(lib));
        run.addArgs(libs);
        run.addArg("-lm");
        return out;
    }
};

fn clangMachine(b: *std.Build) []const u8 {
    return if (b.graph.host.result.cpu.arch == .x86_64) "-march=x86-64-v2" else "-march=armv8-a";
}

fn clangPath(b: *std.Build) []const u8 {
    const name = b.graph.env_map.get("NORN_CLANG") orelse return "clang";
    return if (name.len > 0) name else "clang";
}

fn sanitized(n: *Builder, step: *std.Build.Step) void {
    const b = n.b;
    const s = n.sources;
    if (s.unit.len + s.contract.len == 0) return;
    const c: Clang = .{ .n = n, .path = clangPath(b), .checks = "-fsanitize=address,undefined" };
    const core = c.core();
    const sim = c.archive("libsim.a", s.sim);
    const uring = c.archive("liburing_backend.a", s.uring);
    const unit_support = c.archive("libunit.a", s.unit_support);
    const contract_support = c.archive("libcontract.a", s.contract_support);
    const liburing = n.archive("uring");
    for (s.unit) |path| {
        if (!n.wanted(path)) continue;
        const exe = c.link(std.fs.path.stem(path), &.{c.object(path)}, &.{ unit_support, sim, core }, &.{"-lcmocka"});
        step.dependOn(quietTest(b, exe, b.fmt("asan unit test {s}", .{path})));
    }
    for (s.contract) |path| {
        if (!n.wanted(path)) continue;
        const o = c.object(path);
        const stem = std.fs.path.stem(path);
        const run = b.addSystemCommand(&.{"sh"});
        run.addFileArg(b.path("tools/contract.sh"));
        run.addFileArg(c.link(b.fmt("{s}-uring", .{stem}), &.{o}, &.{ contract_support, uring, core, liburing }, &.{}));
        run.addFileArg(c.link(b.fmt("{s}-sim", .{stem}), &.{o}, &.{ contract_support, sim, core }, &.{}));
        run.setName(b.fmt("asan contract test {s}", .{path}));
        sanitizerEnvironment(run);
        run.has_side_effects = true;
        step.dependOn(&run.step);
    }
}

/// Runs a deterministic test; not again when neither it nor its program changed.
fn quietTest(b: *std.Build, program: std.Build.LazyPath, name: []const u8) *std.Build.Step {
    const run = b.addSystemCommand(&.{"sh"});
    run.addFileArg(b.path("tools/quiet.sh"));
    run.addFileArg(program);
    run.setName(name);
    run.setCwd(b.path("."));
    sanitizerEnvironment(run);
    run.expectExitCode(0);
    return &run.step;
}

const symbolizer = "allow_addr2line=1:external_symbolizer_path=/usr/bin/addr2line";

fn sanitizerEnvironment(run: *std.Build.Step.Run) void {
    run.setEnvironmentVariable("ASAN_OPTIONS", "detect_leaks=1:detect_stack_use_after_return=0:strict_string_checks=1:" ++ symbolizer);
    run.setEnvironmentVariable("UBSAN_OPTIONS", "print_stacktrace=1:" ++ symbolizer);
}

fn fuzzers(n: *Builder, step: *std.Build.Step, seconds: u32) void {
    const b = n.b;
    if (n.sources.fuzz.len == 0) return step.dependOn(&b.addFail("there are no fuzz targets yet").step);
    const compile: Clang = .{ .n = n, .path = clangPath(b), .checks = "-fsanitize=address,undefined,fuzzer-no-link" };
    const link: Clang = .{ .n = n, .path = clangPath(b), .checks = "-fsanitize=address,undefined,fuzzer" };
    const core = compile.core();
    const sim = compile.archive("libsim.a", n.sources.sim);
    for (n.sources.fuzz) |path| {
        if (!n.wanted(path)) continue;
        const stem = std.fs.path.stem(path);
        const exe = link.link(stem, &.{compile.object(path)}, &.{ sim, core }, &.{});
        const run = b.addSystemCommand(&.{"sh"});
        run.addFileArg(b.path("tools/fuzz.sh"));
        run.addFileArg(exe);
        run.addArgs(&.{ stem, b.fmt("{d}", .{seconds}) });
        run.setName(b.fmt("fuzz {s}", .{stem}));
        run.setCwd(b.path("."));
        sanitizerEnvironment(run);
        run.has_side_effects = true;
        step.dependOn(&run.step);
    }
}

fn runInstalled(b: *std.Build, name: []const u8) *std.Build.Step.Run {
    const run = b.addSystemCommand(&.{b.getInstallPath(.bin, name)});
    run.setEnvironmentVariable("NORN_PYTHON", python(b));
    run.step.dependOn(b.getInstallStep());
    run.stdio = .inherit;
    return run;
}

/// A server, and the sample order workflow on it.
fn runDemo(b: *std.Build) *std.Build.Step.Run {
    const run = b.addSystemCommand(&.{ "bash", b.pathFromRoot("tools/demo.sh"), b.getInstallPath(.bin, "norn") });
    run.setEnvironmentVariable("NORN_PYTHON", python(b));
    run.step.dependOn(b.getInstallStep());
    run.stdio = .inherit;
    return run;
}

fn python(b: *std.Build) []const u8 {
    const venv = b.graph.env_map.get("NORN_VENV") orelse return "python3";
    return b.pathJoin(&.{ venv, "bin/python" });
}

fn triple(arch: std.Target.Cpu.Arch) []const u8 {
    return switch (arch) {
        .aarch64 => "aarch64-linux-gnu",
        else => "x86_64-linux-gnu",
    };
}

fn libDir(b: *std.Build, arch: std.Target.Cpu.Arch) []const u8 {
    for ([_][]const u8{ b.fmt("/usr/lib/{s}", .{triple(arch)}), "/usr/lib64", "/usr/lib" }) |dir| {
        if (exists(b.fmt("{s}/libnghttp2.a", .{dir}))) return dir;
    }
    return b.fmt("/usr/lib/{s}", .{triple(arch)});
}

// --- finding files -------------------------------------------------------------------------------

fn glob(b: *std.Build, dir: []const u8, endings: []const []const u8) []const []const u8 {
    var out: std.ArrayList([]const u8) = .empty;
    var root = b.build_root.handle.openDir(dir, .{ .iterate = true }) catch return out.items;
    defer root.close();
    var walker = root.walk(b.allocator) catch @panic("OOM");
    defer walker.deinit();
    while (walker.next() catch @panic("cannot read a source folder")) |entry| {
        if (entry.kind != .file or entry.basename[0] == '.') continue;
        for (endings) |ending| {
            if (std.mem.endsWith(u8, entry.path, ending)) {
                out.append(b.allocator, b.fmt("{s}/{s}", .{ dir, entry.path })) catch @panic("OOM");
            }
        }
    }
    std.mem.sort([]const u8, out.items, {}, lessThan);
    return out.items;
}

/// As glob, without the folders below (fuzz/corpus and node_modules are large).
fn flatGlob(b: *std.Build, dir: []const u8, ending: []const u8) []const []const u8 {
    var out: std.ArrayList([]const u8) = .empty;
    var root = b.build_root.handle.openDir(dir, .{ .iterate = true }) catch return out.items;
    defer root.close();
    var entries = root.iterate();
    while (entries.next() catch @panic("cannot read a source folder")) |entry| {
        if (entry.kind != .file or entry.name[0] == '.' or !std.mem.endsWith(u8, entry.name, ending)) continue;
        out.append(b.allocator, b.fmt("{s}/{s}", .{ dir, entry.name })) catch @panic("OOM");
    }
    std.mem.sort([]const u8, out.items, {}, lessThan);
    return out.items;
}

fn filter(b: *std.Build, paths: []const []const u8, is: *const fn ([]const u8) bool, keep: bool) []const []const u8 {
    var out: std.ArrayList([]const u8) = .empty;
    for (paths) |path| if (is(path) == keep) out.append(b.allocator, path) catch @panic("OOM");
    return out.items;
}

fn concat(b: *std.Build, lists: []const []const []const u8) []const []const u8 {
    return std.mem.concat(b.allocator, []const u8, lists) catch @panic("OOM");
}

fn mentions(b: *std.Build, paths: []const []const u8, word: []const u8) bool {
    for (paths) |path| {
        const text = b.build_root.handle.readFileAlloc(b.allocator, path, 1 << 26) catch continue;
        defer b.allocator.free(text);
        if (std.mem.indexOf(u8, text, word) != null) return true;
    }
    return false;
}

fn contains(paths: []const []const u8, path: []const u8) bool {
    for (paths) |p| if (eql(p, path)) return true;
    return false;
}

fn isUring(path: []const u8) bool {
    return std.mem.startsWith(u8, path, "src/io/uring");
}

fn isReplay(path: []const u8) bool {
    return std.mem.startsWith(u8, path, "sim/replay");
}

fn isTls(path: []const u8) bool {
    return std.mem.startsWith(u8, path, "src/net/tls_boringssl");
}

fn isMain(path: []const u8) bool {
    return eql(path, "sim/main.c");
}

fn isTest(path: []const u8) bool {
    return std.mem.endsWith(u8, path, "_test.c");
}

fn isContract(path: []const u8) bool {
    return std.mem.endsWith(u8, path, "_contract.c");
}

fn isFuzz(path: []const u8) bool {
    return std.mem.endsWith(u8, path, "_fuzz.c");
}

fn executables(b: *std.Build, paths: []const []const u8) []const []const u8 {
    var out: std.ArrayList([]const u8) = .empty;
    for (paths) |path| {
        const stat = b.build_root.handle.statFile(path) catch continue;
        if (stat.mode & 0o111 != 0) out.append(b.allocator, path) catch @panic("OOM");
    }
    return out.items;
}

fn fitsMachine(path: []const u8, arch: std.Target.Cpu.Arch) bool {
    const stem = std.fs.path.stem(path);
    if (std.mem.endsWith(u8, stem, "_x86_64")) return arch == .x86_64;
    if (std.mem.endsWith(u8, stem, "_aarch64")) return arch == .aarch64;
    return true;
}

fn exists(path: []const u8) bool {
    std.fs.cwd().access(path, .{}) catch return false;
    return true;
}

fn eql(a: []const u8, b: []const u8) bool {
    return std.mem.eql(u8, a, b);
}

fn lessThan(_: void, a: []const u8, b: []const u8) bool {
    return std.mem.lessThan(u8, a, b);
}
