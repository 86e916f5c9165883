/* SPDX-License-Identifier: Apache-2.0 */
/* For tests: away with a folder of their own. */
#ifndef BASE_FOLDER_FIXTURE_H
#define BASE_FOLDER_FIXTURE_H

#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/macros.h"

/* With all that is in it. What cannot be removed stays. */
static inline void folder_remove(const char *folder)
{
    DIR *d = opendir(folder);
    const struct dirent *e;
    char path[4096];

    while (d && (e = readdir(d)) != NULL) {
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
            continue;
        if (snprintf(path, sizeof(path), "%s/%s", folder, e->d_name) >= (int)sizeof(path))
            continue;
        if (unlink(path) < 0)
            folder_remove(path);
    }
    if (d)
        closedir(d);
    IGNORE(rmdir(folder));
}

#endif
