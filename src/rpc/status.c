/* SPDX-License-Identifier: Apache-2.0 */
/* grpc-status, grpc-message and grpc-status-details-bin. Pure. */
#include "codec/base64.h"
#include "rpc/envelope.h"

#define MESSAGE_BYTES 1024
#define DETAILS_BYTES 32768 /* in base64, beside other trailers: below what HTTP/2 sends */

static const struct str type_url_prefix = STR_INIT("type.googleapis.com/");

struct str status_number(enum code code)
{
    static const struct str numbers[] = {
        STR_INIT("0"),  STR_INIT("1"),  STR_INIT("2"),  STR_INIT("3"),  STR_INIT("4"),
        STR_INIT("5"),  STR_INIT("6"),  STR_INIT("7"),  STR_INIT("8"),  STR_INIT("9"),
        STR_INIT("10"), STR_INIT("11"), STR_INIT("12"), STR_INIT("13"), STR_INIT("14"),
        STR_INIT("15"), STR_INIT("16"),
    };

    _Static_assert(COUNTOF(numbers) == CODE_COUNT, "number every code");
    return numbers[code];
}

struct str status_message(struct arena *a, const char *message)
{
    static const char hex[] = "0123456789ABCDEF";
    struct str in = str_of(message);
    struct buf out;

    if (str_is_within(in, ' ', '~') && str_index(in, '%') < 0)
        return arena_str(a, in); /* trailers outlive the failure that they tell of */
    buf_init_arena(&out, a, MESSAGE_BYTES);
    for (size_t i = 0; i < in.len; i++) {
        unsigned char c = (unsigned char)in.p[i];

        if (c >= 0x20 && c <= 0x7e && c != '%') {
            buf_put_byte(&out, c);
            continue;
        }
        buf_put_byte(&out, '%');
        buf_put_byte(&out, (uint8_t)hex[c >> 4]);
        buf_put_byte(&out, (uint8_t)hex[c & 15]);
    }
    return buf_str(&out);
}

/* --- google.rpc.Status, which is small enough to be written by hand: 1 code, 2 message, 3 details
 * (google.protobuf.Any: 1 type_url, 2 value) --- */

static void put_varint(struct buf *out, uint64_t v)
{
    for (; v >= 0x80; v >>= 7)
        buf_put_byte(out, (uint8_t)(v | 0x80));
    buf_put_byte(out, (uint8_t)v);
}

static size_t varint_size(uint64_t v)
{
    size_t n = 1;

    for (; v >= 0x80; v >>= 7)
        n++;
    return n;
}

static void put_bytes_head(struct buf *out, unsigned field, size_t len)
{
    put_varint(out, field << 3 | 2);
    put_varint(out, len);
}

static void put_bytes(struct buf *out, unsigned field, struct str s)
{
    put_bytes_head(out, field, s.len);
    buf_put_str(out, s);
}

static void put_detail(struct buf *out, const struct call_detail *d)
{
    size_t url = type_url_prefix.len + d->type.len;

    put_bytes_head(out, 3, 2 + varint_size(url) + url + varint_size(d->bytes.len) + d->bytes.len);
    put_bytes_head(out, 1, url);
    buf_put_str(out, type_url_prefix);
    buf_put_str(out, d->type);
    put_bytes(out, 2, d->bytes);
}

struct str status_details(struct arena *a, const struct call *c, const struct fail *f)
{
    struct buf out;

    if (c->detail_count == 0)
        return (struct str){NULL, 0};
    buf_init_arena(&out, a, DETAILS_BYTES);
    put_varint(&out, 1 << 3);
    put_varint(&out, (uint64_t)f->code);
    put_bytes(&out, 2, str_of(f->message));
    for (size_t i = 0; i < c->detail_count; i++)
        put_detail(&out, &c->details[i]);
    if (out.overflow) /* better no details than broken ones */
        return (struct str){NULL, 0};
    return base64_encode(a, BASE64_STD_BARE, buf_str(&out));
}

void status_put(struct arena *a, const struct call *c, const struct fail *f,
                void (*add)(void *arg, struct str name, struct str value), void *arg)
{
    add(arg, STR("grpc-status"), status_number(f->code));
    if (f->code == CODE_OK)
        return;
    add(arg, STR("grpc-message"), status_message(a, f->message));

    struct str details = status_details(a, c, f);

    if (details.len > 0)
        add(arg, STR("grpc-status-details-bin"), details);
}
