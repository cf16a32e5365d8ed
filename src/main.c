/* main: the `norn` executable. */
#include "cli/cli.h"

int main(int argc, char **argv) { return io_main(argc, argv, cli_start, NULL); }
