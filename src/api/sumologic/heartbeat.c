/* SPDX-License-Identifier: Apache-2.0 */
/* POST /api/v1/collector/heartbeat: the credential says which agent, its record is marked as seen,
 * and that is all. From memory, on the loop; the time is written behind with those of all agents.
 * Only one that had said good-bye needs the write lane.
 *
 * An agent that is gone must hear 401 and nothing else: only then does it register again. */
#include "api/sumologic/internal.h"

int sumo_caller_agent(const struct call *c, int64_t *number, struct fail *f)
{
    if (enroll_credential_collector(c->caller->key_id, number))
        return 0;
    return fail_reason(f, CODE_UNAUTHENTICATED, "credential_missing",
                       "the credential is not that of a collector");
}

int sumo_agent_gone(struct fail *f)
{
    return fail_reason(f, CODE_UNAUTHENTICATED, "credential_missing",
                       "the collector of this credential was deleted");
}

/* One that said good-bye by another dialect is back. */
static int come_back(struct call *c, struct fail *f)
{
    int64_t number = 0;

    if (sumo_caller_agent(c, &number, f) < 0)
        return -1;
    if (agent_return(c->tx, sumo_app(c)->registry, c->caller, c->caller->tenant, number, f) < 0)
        return f->code == CODE_NOT_FOUND ? sumo_agent_gone(f) : -1;
    c->status = 204;
    return 0;
}

int sumo_heartbeat(struct call *c, struct fail *f)
{
    struct agents *agents = sumo_realm(c)->agents;
    struct agent agent = {0};
    int64_t number = 0;

    if (sumo_caller_agent(c, &number, f) < 0)
        return -1;
    if (!agents_beat(agents, number, sumo_now_us(c))) {
        if (agents_get_numbered(agents, c->arena, number, &agent))
            return call_move(c, LANE_WRITE, come_back);
        return sumo_agent_gone(f);
    }
    c->status = 204;
    return 0;
}
