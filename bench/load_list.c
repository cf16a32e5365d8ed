/* load_list: lists of closed workflows, a few at a time, for visibility under load. */
#include "base/mem.h"
#include "load.h"

enum { LISTERS = 4, PAGE = 100 };
static const int64_t CALL_NS = 30 * SECOND;

struct lister {
    struct load *load;
    int64_t asked_at;
};

static void ask(struct lister *lister);

static void listed(struct io *io, void *ctx, struct grpc_result *result) {
    struct lister *lister = ctx;
    struct load *load = lister->load;
    if (!status_ok(result->status)) load_error(load, "ListWorkflowExecutions", result->status);
    if (load->measures) {
        load->lists++;
        hdr_add(&load->window.latency, io_now(io) - lister->asked_at);
    }
    if (load->starts) ask(lister);
    else mem_free(lister);
}

static void ask(struct lister *lister) {
    struct load *load = lister->load;
    WS(ListWorkflowExecutionsRequest) request = WS_INIT(LIST_WORKFLOW_EXECUTIONS_REQUEST);
    request.namespace_ = text_of(load->options.ns);
    request.page_size = PAGE;
    request.query = text_of("ExecutionStatus = 'Completed' AND WorkflowType = 'bench'");
    lister->asked_at = io_now(load->io);
    load_call(load, load->starter, "ListWorkflowExecutions", &request.base, CALL_NS, listed, lister);
}

void load_list_begin(struct load *load) {
    for (int i = 0; i < LISTERS; i++) {
        struct lister *lister = MEM_NEW(struct lister);
        lister->load = load;
        ask(lister);
    }
}
