/* SPDX-License-Identifier: Apache-2.0 */
/* Which remote attribute an operation means: the path of a bulk update, in one of the ways that
 * clients write it:
 *
 *   remoteAttributes.KEY  remote_attributes.KEY   all after the first dot is the key, further dots
 *                                                 included
 *   remoteAttributes["KEY"]  remoteAttributes['KEY']   with the escape sequences of JSON strings,
 *                                                 and \' besides
 *   $. before any of these
 *   /remoteAttributes/KEY  /remote_attributes/KEY   a JSON pointer (RFC 6901): ~1 for /, ~0 for ~
 *
 * Pure; any thread. */
#ifndef API_FLEET_ATTRIBUTE_PATH_H
#define API_FLEET_ATTRIBUTE_PATH_H

#include "base/arena.h"
#include "base/fail.h"
#include "base/str.h"

#define ATTRIBUTE_PATH_MAX 2048 /* bytes: room for a key of escape sequences alone */

/* INVALID_ARGUMENT "bad_path". The key is not empty and valid UTF-8; it may be too long or
 * reserved. It is a view of the path, or lies in the arena when there was something to decode. */
int attribute_path_parse(struct arena *a, struct str path, struct str *key, struct fail *f)
    MUST_CHECK;

#endif
