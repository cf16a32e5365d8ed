/* commit: which source this program was built from. */
#ifndef NORN_BASE_COMMIT_H
#define NORN_BASE_COMMIT_H

/* The git commit, with "-dirty" when files were changed since; "unknown" outside of a repository. The build makes it. */
extern const char norn_commit[];

#endif
