import io.grpc.netty.shaded.io.grpc.netty.GrpcSslContexts;
import io.grpc.netty.shaded.io.netty.handler.ssl.SslContext;
import io.temporal.activity.Activity;
import io.temporal.activity.ActivityInterface;
import io.temporal.activity.ActivityOptions;
import io.temporal.client.WorkflowClient;
import io.temporal.client.WorkflowClientOptions;
import io.temporal.client.WorkflowOptions;
import io.temporal.client.WorkflowStub;
import io.temporal.common.RetryOptions;
import io.temporal.serviceclient.WorkflowServiceStubs;
import io.temporal.serviceclient.WorkflowServiceStubsOptions;
import io.temporal.worker.Worker;
import io.temporal.worker.WorkerFactory;
import io.temporal.workflow.QueryMethod;
import io.temporal.workflow.SignalMethod;
import io.temporal.workflow.Workflow;
import io.temporal.workflow.WorkflowInterface;
import io.temporal.workflow.WorkflowMethod;
import java.io.File;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.regex.Pattern;

/**
 * Runs the Java SDK's conformance scenarios against a server and prints a line for each, PASS or FAIL with a reason.
 *
 * <pre>java SdkTest --address 127.0.0.1:7233 [--namespace default] [--only REGEX]
 *     [--tls-ca FILE --tls-cert FILE --tls-key FILE]</pre>
 *
 * Exit status: 0 all passed, 1 something failed, 2 no connection.
 */
public class SdkTest {
  @ActivityInterface
  public interface Greeter {
    String greet(String name, int failures);
  }

  public static class GreeterImpl implements Greeter {
    public String greet(String name, int failures) {
      int attempt = Activity.getExecutionContext().getInfo().getAttempt();
      if (attempt <= failures) throw new IllegalStateException("attempt " + attempt + " fails");
      return "Hello, " + name + "! " + attempt;
    }
  }

  @WorkflowInterface
  public interface Hello {
    @WorkflowMethod
    String run(String name, int failures);
  }

  public static class HelloImpl implements Hello {
    private final Greeter greeter =
        Workflow.newActivityStub(
            Greeter.class,
            ActivityOptions.newBuilder()
                .setStartToCloseTimeout(Duration.ofSeconds(10))
                .setRetryOptions(RetryOptions.newBuilder().setInitialInterval(Duration.ofMillis(100)).build())
                .build());

    public String run(String name, int failures) {
      return greeter.greet(name, failures);
    }
  }

  @WorkflowInterface
  public interface Collect {
    @WorkflowMethod
    List<String> run();

    @SignalMethod
    void add(String value);

    @QueryMethod
    List<String> values();
  }

  public static class CollectImpl implements Collect {
    private final List<String> seen = new ArrayList<>();

    public List<String> run() {
      Workflow.await(() -> seen.contains("end"));
      Workflow.sleep(Duration.ofMillis(100));
      return seen;
    }

    public void add(String value) {
      seen.add(value);
    }

    public List<String> values() {
      return seen;
    }
  }

  interface Scenario {
    void run(WorkflowClient client, WorkflowOptions options) throws Exception;
  }

  static final Map<String, Scenario> scenarios = new LinkedHashMap<>();

  static {
    scenarios.put("hello", (client, options) -> equal(hello(client, options, 0), "Hello, Norn! 1"));
    scenarios.put("activity_retry", (client, options) -> equal(hello(client, options, 2), "Hello, Norn! 3"));
    scenarios.put("signals_and_queries", SdkTest::signalsAndQueries);
  }

  static String hello(WorkflowClient client, WorkflowOptions options, int failures) {
    String result = client.newWorkflowStub(Hello.class, options).run("Norn", failures);
    long events = client.fetchHistory(options.getWorkflowId()).getEvents().size();
    equal(events, 11L);
    return result;
  }

  static void signalsAndQueries(WorkflowClient client, WorkflowOptions options) throws Exception {
    Collect stub = client.newWorkflowStub(Collect.class, options);
    WorkflowClient.start(stub::run);
    stub.add("one");
    equal(stub.values(), List.of("one"));
    stub.add("end");
    equal(WorkflowStub.fromTyped(stub).getResult(List.class), List.of("one", "end"));
    equal(stub.values(), List.of("one", "end"));
  }

  static SslContext mutualTls(Map<String, String> flags) throws Exception {
    return GrpcSslContexts.forClient()
        .trustManager(new File(flags.get("--tls-ca")))
        .keyManager(new File(flags.get("--tls-cert")), new File(flags.get("--tls-key")))
        .build();
  }

  static void equal(Object actual, Object expected) {
    if (!expected.equals(actual)) throw new AssertionError(actual + ", expected " + expected);
  }

  public static void main(String[] args) throws Exception {
    Map<String, String> flags = new LinkedHashMap<>();
    for (int i = 0; i + 1 < args.length; i += 2) flags.put(args[i], args[i + 1]);
    WorkflowServiceStubsOptions.Builder stubs =
        WorkflowServiceStubsOptions.newBuilder().setTarget(flags.getOrDefault("--address", "127.0.0.1:7233"));
    if (flags.containsKey("--tls-ca")) stubs.setSslContext(mutualTls(flags));
    WorkflowServiceStubs service = WorkflowServiceStubs.newServiceStubs(stubs.build());
    try {
      service.connect(Duration.ofSeconds(10));
    } catch (RuntimeException e) {
      System.out.println("FAIL java connect: " + e.getMessage());
      System.exit(2);
    }
    WorkflowClient client =
        WorkflowClient.newInstance(
            service,
            WorkflowClientOptions.newBuilder().setNamespace(flags.getOrDefault("--namespace", "default")).build());
    String queue = "java-" + UUID.randomUUID();
    WorkerFactory factory = WorkerFactory.newInstance(client);
    Worker worker = factory.newWorker(queue);
    worker.registerWorkflowImplementationTypes(HelloImpl.class, CollectImpl.class);
    worker.registerActivitiesImplementations(new GreeterImpl());
    factory.start();

    long start = System.nanoTime();
    int passed = 0, failed = 0;
    ExecutorService executor = Executors.newCachedThreadPool();
    Pattern only = Pattern.compile(flags.getOrDefault("--only", ""));
    for (Map.Entry<String, Scenario> s : scenarios.entrySet()) {
      if (!only.matcher(s.getKey()).find()) continue;
      WorkflowOptions options =
          WorkflowOptions.newBuilder()
              .setWorkflowId("java-" + s.getKey() + "-" + UUID.randomUUID())
              .setTaskQueue(queue)
              .build();
      long begin = System.nanoTime();
      Future<?> run = executor.submit(() -> {
        s.getValue().run(client, options);
        return null;
      });
      String reason = "";
      try {
        run.get(30, TimeUnit.SECONDS);
        passed++;
      } catch (Exception e) {
        failed++;
        reason = ": " + (e.getCause() != null ? e.getCause() : e);
      }
      System.out.printf(
          "%s java %s (%.1f s)%s%n", reason.isEmpty() ? "PASS" : "FAIL", s.getKey(), seconds(begin), reason);
    }
    System.out.printf("java: %d passed, %d failed in %.0f s%n", passed, failed, seconds(start));
    System.out.flush();
    factory.shutdownNow();
    Runtime.getRuntime().halt(failed > 0 || passed == 0 ? 1 : 0);
  }

  static double seconds(long since) {
    return (System.nanoTime() - since) / 1e9;
  }
}
