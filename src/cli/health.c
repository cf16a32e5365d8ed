/* health: `norn health`: whether a server answers and serves, by grpc.health.v1. Exit code 0 means that it does. */
#include "cli/request.h"
#include "cli/session.h"
#include "cli/table.h"
#include "grpc/health/v1/health.pb-c.h"

int cli_health(struct cli *cli) {
    struct request request = request_begin(cli);
    request_text(&request, "service", cli_value(cli, "service"));
    const Grpc__Health__V1__HealthCheckResponse *response = (const void *)cli_call(cli, "Check", request_end(&request));
    request_free(&request);
    if (!response) return cli_exit_code(cli);
    bool serving = response->status == GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__SERVING;
    if (cli->output != CLI_TEXT) cli_print_message(cli, &response->base);
    else buf_printf(&cli->out, "%s is %s\n", cli_address(cli), serving ? "serving" : "not serving");
    return serving ? CLI_OK : CLI_FAILED;
}
