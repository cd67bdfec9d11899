/* What libubox sees in bytes, written as text; see lib.rs. */

#include <libubox/blobmsg.h>
#include <libubox/blobmsg_json.h>

struct text {
	char *at;
	size_t room;
};

static void put_hex(struct text *out, const unsigned char *bytes, size_t count)
{
	for (size_t i = 0; i < count && out->room > 2; i++) {
		snprintf(out->at, out->room, "%02x", bytes[i]);
		out->at += 2;
		out->room -= 2;
	}
}

static void put_char(struct text *out, char c)
{
	if (out->room > 1) {
		*out->at++ = c;
		*out->at = 0;
		out->room--;
	}
}

static void walk(struct text *out, struct blob_attr *first, size_t rem)
{
	struct blob_attr *attr;

	__blob_for_each_attr(attr, first, rem) {
		int type = blobmsg_type(attr);
		unsigned char *value;
		unsigned char is_true;

		if (!blobmsg_check_attr_len(attr, false, rem)) {
			put_char(out, '!');
			continue;
		}
		value = blobmsg_data(attr);
		put_char(out, '0' + type);
		if (blob_is_extended(attr)) {
			const char *name = blobmsg_name(attr);
			put_hex(out, (const unsigned char *)name, strlen(name));
		}
		put_char(out, '=');
		switch (type) {
		case BLOBMSG_TYPE_UNSPEC:
			break;
		case BLOBMSG_TYPE_ARRAY:
		case BLOBMSG_TYPE_TABLE:
			put_char(out, '(');
			walk(out, (struct blob_attr *)value, blobmsg_data_len(attr));
			put_char(out, ')');
			break;
		case BLOBMSG_TYPE_STRING:
			put_hex(out, value, strlen((char *)value));
			break;
		case BLOBMSG_TYPE_BOOL:
			is_true = blobmsg_get_bool(attr);
			put_hex(out, &is_true, 1);
			break;
		case BLOBMSG_TYPE_DOUBLE:
			put_hex(out, value, 8);
			break;
		default:
			put_hex(out, value, blobmsg_data_len(attr));
		}
		put_char(out, ';');
	}
}

void oracle_walk(const void *members, size_t length, char *text, size_t room)
{
	struct text out = { text, room };

	*text = 0;
	walk(&out, (struct blob_attr *)members, length);
}

/* The members that libubox makes of JSON text; NULL if it does not like it. */
unsigned char *oracle_from_json(const char *json, size_t *length)
{
	struct blob_buf buf = {};
	unsigned char *members = NULL;

	blob_buf_init(&buf, 0);
	if (blobmsg_add_json_from_string(&buf, json)) {
		*length = blob_len(buf.head);
		members = malloc(*length + 1);
		memcpy(members, blob_data(buf.head), *length);
	}
	blob_buf_free(&buf);
	return members;
}

/* The JSON text that libubox makes of a blob with these members. */
char *oracle_to_json(const void *members, size_t length)
{
	struct blob_buf buf = {};
	char *text;

	blob_buf_init(&buf, 0);
	if (length > 0)
		blob_put_raw(&buf, members, length);
	text = blobmsg_format_json(buf.head, true);
	blob_buf_free(&buf);
	return text;
}

/* Where libubox finds the ubus attributes in a blob of `length` bytes, header included: offset and length
 * of each payload, the offset -1 if it is not there. */
void oracle_attributes(unsigned char *blob, size_t length, long *offsets, size_t *lengths)
{
	static const struct blob_attr_info policy[14] = {
		[1] = { .type = BLOB_ATTR_INT32 },   [2] = { .type = BLOB_ATTR_STRING },
		[3] = { .type = BLOB_ATTR_INT32 },   [4] = { .type = BLOB_ATTR_STRING },
		[5] = { .type = BLOB_ATTR_INT32 },   [6] = { .type = BLOB_ATTR_NESTED },
		[7] = { .type = BLOB_ATTR_NESTED },  [8] = { .type = BLOB_ATTR_INT32 },
		[9] = { .type = BLOB_ATTR_INT8 },    [10] = { .type = BLOB_ATTR_INT8 },
		[11] = { .type = BLOB_ATTR_NESTED }, [12] = { .type = BLOB_ATTR_STRING },
		[13] = { .type = BLOB_ATTR_STRING },
	};
	struct blob_attr *found[14];

	memset(found, 0, sizeof(found));
	blob_parse_untrusted((struct blob_attr *)blob, length, found, policy, 14);
	for (int i = 0; i < 14; i++) {
		offsets[i] = found[i] ? (long)((unsigned char *)blob_data(found[i]) - blob) : -1;
		lengths[i] = found[i] ? blob_len(found[i]) : 0;
	}
}

void oracle_free(void *memory)
{
	free(memory);
}
