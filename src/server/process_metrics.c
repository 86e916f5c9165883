/* SPDX-License-Identifier: Apache-2.0 */
/* Gauges under the names that Prometheus' own clients use. */
#include "server/process_metrics.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/heap.h"
#include "base/str.h"

struct process_metrics {
    const struct clock *clock;
    int64_t started_mono_us;
    struct metric_gauge *resident;
    struct metric_gauge *virtual_size;
    struct metric_gauge *open_fds;
    struct metric_gauge *uptime;
};

/* /proc/self/statm: total and resident pages first. */
static void read_memory(struct process_metrics *p)
{
    char text[128];
    int fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text));
    uint64_t total, resident, page = (uint64_t)sysconf(_SC_PAGESIZE);

    if (fd >= 0)
        close(fd);
    if (n <= 0)
        return;

    struct str rest = str_make(text, (size_t)n);

    if (str_to_u64(str_cut(&rest, ' '), &total) == 0 &&
        str_to_u64(str_cut(&rest, ' '), &resident) == 0) {
        gauge_set(p->virtual_size, (int64_t)(total * page));
        gauge_set(p->resident, (int64_t)(resident * page));
    }
}

/* Linux 6.2 and newer tell the number as the directory's size; older ones have to be asked for
 * each. */
static int64_t count_fds(void)
{
    struct stat st;
    int64_t count = -3; /* ".", ".." and the directory itself */

    if (stat("/proc/self/fd", &st) == 0 && st.st_size > 0)
        return st.st_size;

    DIR *dir = opendir("/proc/self/fd");

    if (!dir)
        return 0;
    while (readdir(dir))
        count++;
    closedir(dir);
    return count;
}

static void on_render(void *arg)
{
    struct process_metrics *p = arg;

    read_memory(p);
    gauge_set(p->open_fds, count_fds());
    gauge_set(p->uptime, (clock_mono_us(p->clock) - p->started_mono_us) / 1000000);
}

struct process_metrics *process_metrics_new(struct metrics *m, const struct clock *clock)
{
    struct process_metrics *p = heap_new_type(struct process_metrics);
    struct rlimit files;

    p->clock = clock;
    p->started_mono_us = clock_mono_us(clock);
    p->resident = metrics_gauge(m, "process_resident_memory_bytes", "Memory in RAM.", "");
    p->virtual_size = metrics_gauge(m, "process_virtual_memory_bytes", "Address space.", "");
    p->open_fds = metrics_gauge(m, "process_open_fds", "Open file descriptors.", "");
    p->uptime = metrics_gauge(m, "muster_uptime_seconds", "Time since the start.", "");
    gauge_set(metrics_gauge(m, "process_start_time_seconds", "Start, since the epoch.", ""),
              clock_wall_us(clock) / 1000000);
    gauge_set(metrics_gauge(m, "muster_build_info", "Which build this is; always 1.",
                            "version=\"" MUSTER_VERSION "\""),
              1);
    if (getrlimit(RLIMIT_NOFILE, &files) == 0)
        gauge_set(metrics_gauge(m, "process_max_fds", "Most file descriptors allowed.", ""),
                  (int64_t)files.rlim_cur);
    metrics_on_render(m, on_render, p);
    return p;
}

void process_metrics_free(struct process_metrics **p)
{
    free(*p);
    *p = NULL;
}
