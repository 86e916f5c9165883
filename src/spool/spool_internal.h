/* SPDX-License-Identifier: Apache-2.0 */
/* What the spool's files share. Private to the folder. */
#ifndef SPOOL_SPOOL_INTERNAL_H
#define SPOOL_SPOOL_INTERNAL_H

#include <pthread.h>

#include "spool/segment.h"

#define SPOOL_PATH_MAX   4096
#define SPOOL_NAME_MAX   64 /* of a cursor */
#define SPOOL_BATCH_MAX  1024
#define SPOOL_SEGMENT_LO ((int64_t)4096)

/* One file, as far as its bytes are known to be on the disk. */
struct spool_segment {
    uint64_t first_seq;
    int64_t bytes;
};

/* How far a cursor has come, whether or not it is open. */
struct spool_mark {
    char name[SPOOL_NAME_MAX + 1];
    uint64_t seq;     /* delivered up to here: what is below may go */
    uint64_t written; /* what its file says: the next one to read after a crash */
    struct spool_cursor *cursor;
    struct spool_mark *next;
};

struct spool_cursor {
    struct spool *spool;
    struct spool_mark *mark;
    struct waiter *wake;
    int fd;       /* of the segment; -1: not open */
    bool entered; /* and its header was good */
    uint64_t salt;
    uint64_t segment; /* its first seq */
    int64_t offset;
    uint64_t seq; /* read up to here */
};

struct spool_series {
    struct metric_gauge *bytes;
    struct metric_gauge *segments;
    struct metric_gauge *queued;
    struct metric_counter *records;
    struct metric_counter *written;
    struct metric_counter *refused;
    struct metric_counter *lost;
    struct metric_counter *unreadable;
    struct metric_histogram *commit;
    struct metric_histogram *batch;
};

struct spool {
    struct spool_options o;
    struct log log;
    struct metrics *own_metrics; /* when none were given */
    struct spool_series m;
    char dir[SPOOL_PATH_MAX];
    int dir_fd; /* to sync it without a descriptor that may not be there */

    pthread_mutex_t lock;           /* guards what follows, up to the queue */
    struct spool_segment *segments; /* oldest first; the last one is written to */
    size_t segment_count;
    size_t segment_cap;
    int64_t bytes; /* of all of them */
    int64_t queued_bytes;
    uint64_t appended;
    uint64_t next_seq; /* what is below is on the disk */
    struct spool_mark *marks;
    bool unwanted; /* it was said that nobody will read */
    bool closing;
    bool failed;       /* for good */
    bool refused_full; /* the latest sender was sent away */
    bool disk_full;    /* the latest batch was */
    bool rotate;       /* the writer is to begin a new segment */

    struct queue queue;
    struct waiter *wake;
    pthread_t thread;
    bool has_thread;

    /* The writer's own. */
    int fd; /* of the last segment; -1: there is none to go on with */
    int64_t offset;
    uint64_t salt;
    struct spool_append **batch;
    uint8_t *frames;
    size_t batch_count;
    int64_t batch_bytes;
};

/* --- spool.c --- */

int spool_path(const struct spool *s, const char *name, char out[SPOOL_PATH_MAX], struct fail *f)
    MUST_CHECK;

/* "00000000000000000001.seg" */
void spool_segment_name(uint64_t first_seq, char out[32]);

/* False: no segment has such a name. */
bool spool_segment_parse(struct str name, uint64_t *first_seq);

/* Oldest first; at least one. */
void spool_sort_segments(struct spool_segment *segments, size_t count);

/* With the lock held. */
void spool_add_segment(struct spool *s, struct spool_segment segment);

/* All of it, or -1. */
int spool_pread(int fd, char *out, size_t len, int64_t at) MUST_CHECK;

/* As much as the disk gives: zeros stand for blocks that cannot be read. False: there are some. */
bool spool_salvage(int fd, char *out, size_t len, int64_t at);

/* Deletes the segments that every cursor has passed; asks for a new one when only the last stands
 * in the way of new data. Any thread, without the lock. */
void spool_trim(struct spool *s);

/* --- spool_recover.c --- */

/* Finds segments and marks, cuts the tail. What comes goes to a new segment. */
int spool_recover(struct spool *s, struct fail *f) MUST_CHECK;

struct spool_tail {
    int64_t end;    /* of the last whole record */
    uint64_t next;  /* the seq behind it */
    bool damaged;   /* there is more behind, and it was acknowledged */
    uint64_t above; /* then: higher than any seq in the file */
};

/* Whether something of a later batch lies behind the bad bytes that `rest` begins with; t->next is
 * given, damaged and above are found. */
void spool_look_behind(const struct segment_header *h, struct str rest, struct spool_tail *t);

/* --- spool_writer.c --- */

void *spool_writer_main(void *spool);

/* --- spool_cursor.c --- */

#define SPOOL_MARK_BYTES_MAX 256 /* of a file that may be damaged */

/* False: bytes that we did not write. */
bool spool_mark_parse(struct str text, uint64_t *seq);

#endif
