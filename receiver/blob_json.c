/* SPDX-License-Identifier: MIT */
#include "receiver/blob_json.h"

#include "common/units.h"

void blob_json(struct json *json, const struct uuid *id, const struct blob_info *info)
{
    char text[UUID_TEXT_SIZE], hex[SHA256_HEX_SIZE], date[UNITS_TEXT_SIZE];

    json_open(json, NULL, '{');
    json_string(json, "id", uuid_format(text, id));
    json_number(json, "size", (int64_t)info->size);
    if (info->has_digest)
        json_string(json, "sha256", sha256_to_hex(hex, &info->digest));
    json_string(json, "type", info->type);
    json_string(json, "modified", units_format_time(date, info->modified_s));
    json_close(json, '}');
}
