/* puts: a list of changes for the tables, in an arena. The engine fills it through store_image_put and its sisters. */
#ifndef NORN_STORE_PUTS_H
#define NORN_STORE_PUTS_H

#include "store/engine_side.h"
#include "store/sqlite.h"

struct put_list {
    struct arena arena;
    struct put *first, **last;
};

void put_list_init(struct put_list *list);
void put_list_free(struct put_list *list);            /* leaves it empty, ready to be filled */
struct put *put_list_add(struct put_list *list, int kind);

/* Ask the engine, with the list as the one that it fills. */
bool put_list_ask_images(struct put_list *list, struct store_loop *loop, const struct store_engine *engine, bool first,
                         size_t budget);
void put_list_ask_visibility(struct put_list *list, struct store_loop *loop, const struct store_engine *engine);

#endif
