/* Entries of a recording: what is written is read back; what is cut or damaged is refused; effects make the chain. */
#include "io/tape.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static const char data[] = "some bytes";

static struct tape_entry through(const struct tape_entry *entry) {
    struct buf text = {0};
    uint8_t head[TAPE_HEAD_MAX];
    struct tape_entry out;
    buf_append(&text, head, tape_encode(entry, head));
    buf_append_bytes(&text, entry->bytes);
    for (size_t len = 0; len < text.len; len++) {
        struct reader cut = reader_of(bytes_of(text.data, len));
        assert_false(tape_decode(&cut, &out));
    }
    struct reader reader = reader_of(buf_bytes(&text));
    assert_true(tape_decode(&reader, &out));
    assert_int_equal(reader.left.len, 0);
    assert_int_equal(out.tag, entry->tag);
    assert_true(out.bytes.len == entry->bytes.len);
    if (out.bytes.len) assert_memory_equal(out.bytes.data, entry->bytes.data, out.bytes.len);
    out.bytes = (struct bytes){0};       /* of `text`, which goes */
    buf_free(&text);
    return out;
}

static void turns(void **state) {
    (void)state;
    struct tape_entry out = through(&(struct tape_entry){.tag = TAPE_TURN, .now = 1, .wall = INT64_MIN, .chain = 0xfedcba98});
    assert_int_equal(out.now, 1);
    assert_true(out.wall == INT64_MIN);
    assert_int_equal(out.chain, 0xfedcba98);
}

static void ends_of_ops(void **state) {
    (void)state;
    struct tape_entry out = through(&(struct tape_entry){
        .tag = TAPE_DONE, .payload = TAPE_BUF, .more = true, .sequence = 300, .result = sizeof data, .buf_id = 255,
        .chain = 7, .bytes = bytes_of(data, sizeof data)});
    assert_int_equal(out.payload, TAPE_BUF);
    assert_true(out.more);
    assert_int_equal(out.sequence, 300);
    assert_int_equal(out.buf_id, 255);
    out = through(&(struct tape_entry){
        .tag = TAPE_DONE, .payload = TAPE_PEER, .more = true, .slot = 5, .generation = UINT32_MAX,
        .addr = {.family = 6, .ip = {[0] = 0xfe, [15] = 1}, .port = 65535}});
    assert_int_equal(out.slot, 5);
    assert_int_equal(out.generation, UINT32_MAX);
    assert_int_equal(out.addr.family, 6);
    assert_int_equal(out.addr.ip[15], 1);
    assert_int_equal(out.addr.port, 65535);
    out = through(&(struct tape_entry){.tag = TAPE_DONE, .result = -IO_ECANCELED});
    assert_int_equal(out.result, -IO_ECANCELED);
    assert_false(out.more);
}

static void helpers(void **state) {
    (void)state;
    struct tape_entry out = through(&(struct tape_entry){.tag = TAPE_JOB, .turn = 9, .loop = 3, .sequence = UINT64_MAX});
    assert_true(out.turn == 9 && out.loop == 3 && out.sequence == UINT64_MAX);
    out = through(&(struct tape_entry){.tag = TAPE_HELP, .what = TAPE_CALL_read, .turn = 1, .result = sizeof data,
                                       .payload = TAPE_DATA, .bytes = bytes_of(data, sizeof data)});
    assert_true(out.what == TAPE_CALL_read && out.turn == 1 && out.payload == TAPE_DATA);
}

static void inputs(void **state) {
    (void)state;
    struct tape_entry out = through(&(struct tape_entry){.tag = TAPE_VALUE, .what = TAPE_INPUT_pid, .value = UINT64_MAX});
    assert_true(out.what == TAPE_INPUT_pid && out.value == UINT64_MAX);
    through(&(struct tape_entry){.tag = TAPE_BYTES, .what = TAPE_INPUT_random, .bytes = bytes_of(data, sizeof data)});
    assert_int_equal(through(&(struct tape_entry){.tag = TAPE_MESSAGE, .loop = 255}).loop, 255);
    through(&(struct tape_entry){.tag = TAPE_HOOK});
    through(&(struct tape_entry){.tag = TAPE_END});
}

static void pages(void **state) {
    (void)state;
    unsigned place, other_place;
    uint64_t key, other_key;
    assert_true(tape_page(1, 4096, TAPE_PAGE_MAX, &place, &key));
    assert_true(place < TAPE_PAGES);
    assert_true(tape_page(1, 4096, TAPE_PAGE_MAX - 1, &other_place, &other_key));
    assert_true(key != other_key);
    assert_false(tape_page(1, 4096, 0, &place, &key));
    assert_false(tape_page(1, 4096, TAPE_PAGE_MAX + 1, &place, &key));
    struct tape_entry out = through(&(struct tape_entry){.tag = TAPE_HELP, .payload = TAPE_SAME, .result = 4096});
    assert_true(out.payload == TAPE_SAME && out.result == 4096);
}

static void damage(void **state) {
    (void)state;
    static const uint8_t no_tag[] = {0}, unknown_tag[] = {200}, unknown_payload[] = {TAPE_DONE, 1, 15 << 1, 0, 0, 0, 0, 0};
    static const uint8_t endless[] = {TAPE_BYTES, 1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f, 1};
    static const struct bytes cases[] = {{no_tag, sizeof no_tag}, {unknown_tag, sizeof unknown_tag},
                                         {unknown_payload, sizeof unknown_payload}, {endless, sizeof endless}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct tape_entry out;
        struct reader reader = reader_of(cases[i]);
        assert_false(tape_decode(&reader, &out));
    }
}

static void chain(void **state) {
    (void)state;
    uint64_t one = 0, other = 0;
    tape_effect(&one, TAPE_CALL_send, 1, 2, 3);
    tape_effect(&other, TAPE_CALL_send, 1, 2, 4);
    assert_true(one != other);
    struct iovec whole = {(void *)(uintptr_t)data, sizeof data};
    struct iovec changed = {(void *)(uintptr_t)(data + 1), sizeof data - 1};
    assert_true(tape_hash_iov(&whole, 1) != tape_hash_iov(&changed, 1));
    assert_string_equal(tape_call_name(TAPE_CALL_sock_close), "sock_close");
    assert_string_equal(tape_input_name(TAPE_INPUT_COUNT), "unknown");
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(turns), cmocka_unit_test(ends_of_ops), cmocka_unit_test(helpers),
                                       cmocka_unit_test(inputs), cmocka_unit_test(pages),
                                       cmocka_unit_test(damage), cmocka_unit_test(chain)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
