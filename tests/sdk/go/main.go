// Runs the Go SDK's conformance scenarios against a server and prints a line for each, PASS or FAIL with a reason.
//
//	sdk-go --address 127.0.0.1:7233 [--namespace default] [--tls-ca FILE --tls-cert FILE --tls-key FILE] [--only REGEX]
//
// Histories are written as in the Python suite: S, St, C, F, T are a workflow task's events.
// Exit status: 0 all passed, 1 something failed, 2 no connection.
package main

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"flag"
	"fmt"
	"os"
	"reflect"
	"regexp"
	"strings"
	"time"

	"go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"
)

var options = workflow.ActivityOptions{
	StartToCloseTimeout: 10 * time.Second,
	RetryPolicy:         &temporal.RetryPolicy{InitialInterval: 100 * time.Millisecond, BackoffCoefficient: 1},
}

func hello(ctx workflow.Context, name string) (result string, err error) {
	err = workflow.ExecuteActivity(workflow.WithActivityOptions(ctx, options), greet, name).Get(ctx, &result)
	return
}

func greet(name string) (string, error) { return "Hello, " + name + "!", nil }

func retry(ctx workflow.Context, attempt int32) (result int32, err error) {
	err = workflow.ExecuteActivity(workflow.WithActivityOptions(ctx, options), failUntil, attempt).Get(ctx, &result)
	return
}

func failUntil(ctx context.Context, attempt int32) (int32, error) {
	if now := activity.GetInfo(ctx).Attempt; now < attempt {
		return 0, fmt.Errorf("attempt %d fails", now)
	}
	return attempt, nil
}

// collect gathers signals until one says "end".
func collect(ctx workflow.Context) ([]string, error) {
	seen := []string{}
	err := workflow.SetQueryHandler(ctx, "values", func() ([]string, error) { return seen, nil })
	for err == nil && (len(seen) == 0 || seen[len(seen)-1] != "end") {
		var value string
		workflow.GetSignalChannel(ctx, "add").Receive(ctx, &value)
		seen = append(seen, value)
	}
	return seen, err
}

func timerAndSideEffect(ctx workflow.Context) (same bool, err error) {
	var first string
	if err = workflow.SideEffect(ctx, func(workflow.Context) any { return rand.Text() }).Get(&first); err != nil {
		return
	}
	err = workflow.Sleep(ctx, 200*time.Millisecond)
	return len(first) > 10, err
}

type test struct {
	context.Context
	client client.Client
	id     string
	opts   client.StartWorkflowOptions
}

func (t test) start(workflow any, args ...any) client.WorkflowRun {
	run, err := t.client.ExecuteWorkflow(t, t.opts, workflow, args...)
	must(err)
	return run
}

// worker runs until the returned function is called.
func (t test) worker(workers worker.Options) func() {
	w := worker.New(t.client, t.id, workers)
	for _, f := range []any{hello, retry, collect, timerAndSideEffect} {
		w.RegisterWorkflow(f)
	}
	w.RegisterActivity(greet)
	w.RegisterActivity(failUntil)
	must(w.Start())
	return w.Stop
}

func (t test) history(expected string) {
	iterator := t.client.GetWorkflowHistory(t, t.id, "", false, enums.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	tasks := map[string]string{"Scheduled": "S", "Started": "St", "Completed": "C", "Failed": "F", "TimedOut": "T"}
	var names []string
	for iterator.HasNext() {
		event, err := iterator.Next()
		must(err)
		name := event.EventType.String()
		if task, ok := strings.CutPrefix(name, "WorkflowTask"); ok {
			name = tasks[task]
		}
		name = strings.Replace(strings.TrimPrefix(name, "WorkflowExecution"), "ActivityTask", "Activity", 1)
		names = append(names, name)
		equal(int(event.EventId), len(names))
	}
	equal(strings.Join(names, " "), expected)
}

const oneActivity = "Started S St C ActivityScheduled ActivityStarted ActivityCompleted S St C Completed"

var scenarios = []struct {
	name string
	run  func(t test)
}{
	{"hello", func(t test) {
		defer t.worker(worker.Options{})()
		var result string
		must(t.start(hello, "Norn").Get(t, &result))
		equal(result, "Hello, Norn!")
		t.history(oneActivity)
	}},
	{"activity_retry", func(t test) {
		defer t.worker(worker.Options{})()
		var result int32
		must(t.start(retry, int32(3)).Get(t, &result))
		equal(result, int32(3))
		t.history(oneActivity)
	}},
	{"signals_and_queries", func(t test) {
		run := t.start(collect)
		must(t.client.SignalWorkflow(t, t.id, "", "add", "one"))
		stop := t.worker(worker.Options{})
		query := func() (values []string) {
			value, err := t.client.QueryWorkflow(t, t.id, "", "values")
			must(err)
			must(value.Get(&values))
			return
		}
		equal(query(), []string{"one"})
		stop()
		defer t.worker(worker.Options{})() // a second worker replays
		must(t.client.SignalWorkflow(t, t.id, run.GetRunID(), "add", "end"))
		var result []string
		must(run.Get(t, &result))
		equal(result, []string{"one", "end"})
		equal(query(), result)
	}},
	{"timer_and_side_effect", func(t test) {
		defer t.worker(worker.Options{})()
		var same bool
		must(t.start(timerAndSideEffect).Get(t, &same))
		equal(same, true)
		t.history("Started S St C MarkerRecorded TimerStarted TimerFired S St C Completed")
	}},
	{"cancel_and_terminate", func(t test) {
		run := t.start(collect)
		must(t.client.CancelWorkflow(t, t.id, ""))
		must(t.client.TerminateWorkflow(t, t.id, "", "because"))
		var terminated *temporal.TerminatedError
		if err := run.Get(t, nil); !errors.As(err, &terminated) {
			panic(fmt.Errorf("result of a terminated workflow: %v", err))
		}
		t.history("Started S CancelRequested Terminated")
		described, err := t.client.DescribeWorkflowExecution(t, t.id, "")
		must(err)
		equal(described.WorkflowExecutionInfo.Status, enums.WORKFLOW_EXECUTION_STATUS_TERMINATED)
	}},
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}

func equal(actual, expected any) {
	if !reflect.DeepEqual(actual, expected) {
		panic(fmt.Errorf("%v, expected %v", actual, expected))
	}
}

func runOne(c client.Client, name string, run func(test)) (ok bool) {
	start := time.Now()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	id := "go-" + name + "-" + strings.ToLower(rand.Text()[:8])
	t := test{ctx, c, id, client.StartWorkflowOptions{ID: id, TaskQueue: id}}
	defer func() {
		reason := recover()
		if ok = reason == nil; ok {
			fmt.Printf("PASS go %s (%.1f s)\n", name, time.Since(start).Seconds())
		} else {
			fmt.Printf("FAIL go %s (%.1f s): %v\n", name, time.Since(start).Seconds(), reason)
		}
	}()
	run(t)
	return
}

func main() {
	address := flag.String("address", "127.0.0.1:7233", "host:port of the server")
	namespace := flag.String("namespace", "default", "")
	ca := flag.String("tls-ca", "", "certificate of the server's authority")
	cert := flag.String("tls-cert", "", "the client's certificate")
	key := flag.String("tls-key", "", "its key")
	only := flag.String("only", "", "regular expression for the scenarios' names")
	flag.Parse()
	opts := client.Options{HostPort: *address, Namespace: *namespace, Logger: nothing{}}
	if *ca != "" {
		pem, err := os.ReadFile(*ca)
		must(err)
		roots := x509.NewCertPool()
		roots.AppendCertsFromPEM(pem)
		opts.ConnectionOptions.TLS = &tls.Config{RootCAs: roots}
		if *cert != "" {
			pair, err := tls.LoadX509KeyPair(*cert, *key)
			must(err)
			opts.ConnectionOptions.TLS.Certificates = []tls.Certificate{pair}
		}
	}
	c, err := client.Dial(opts)
	if err != nil {
		fmt.Println("FAIL go connect:", err)
		os.Exit(2)
	}
	start, passed, failed := time.Now(), 0, 0
	for _, s := range scenarios {
		if regexp.MustCompile(*only).MatchString(s.name) {
			if runOne(c, s.name, s.run) {
				passed++
			} else {
				failed++
			}
		}
	}
	fmt.Printf("go: %d passed, %d failed in %.0f s\n", passed, failed, time.Since(start).Seconds())
	if failed > 0 || passed == 0 {
		os.Exit(1)
	}
}

// nothing is a logger that drops what it gets.
type nothing struct{}

func (nothing) Debug(string, ...any) {}
func (nothing) Info(string, ...any)  {}
func (nothing) Warn(string, ...any)  {}
func (nothing) Error(string, ...any) {}
