-- Everything that adds up. A point counts in the interval of its cohort (t_enq of its leg) and in that of its own
-- instant; a span counts whole in its cohort, and split at interval edges where it happened.
create table points as
select 'offered' as name, tenant, queue, channel, null::varchar as agent, null::varchar as team,
    t_enq as cohort_at, t_enq as event_at, null::bigint as wait_ms, 1::bigint as value, contact from stays
union all select 'waiting', tenant, queue, channel, null, null, t_enq, null, null, 1, contact from stays
    where outcome is null
union all select outcome, tenant, queue, channel, agent, team, t_enq, left_at, wait_ms, 1, contact from stays
    where outcome is not null
union all select 'accepted', tenant, queue, channel, agent, team, t_enq, left_at, accept_ms, 1, contact from stays
    where accept_ms is not null
union all select 'wait_accepted', tenant, queue, channel, agent, team, t_enq, left_at, null, accept_ms, contact from stays
    where accept_ms is not null
union all select 'wait_' || case when outcome = 'answered' then 'answered' when outcome in ('abandoned', 'short_abandoned')
        then 'abandoned' else 'other' end,
    tenant, queue, channel, agent, team, t_enq, left_at, null, wait_ms, contact from stays where outcome is not null
union all select name, tenant, queue, channel, agent, team, t_enq, happened, null, 1, contact from offers
union all select 'transferred', tenant, queue, channel, agent, team, t_enq, happened, null, 1,
    substr(stream, length('contact-') + 1) from transfers
union all select 'handled', tenant, queue, channel, agent, team, t_enq, end_, null, 1, contact from wrap_ups;

create table spans as
select name, tenant, queue, channel, agent, team, cohort_at, start, end_, contact from leg_spans
union all select 'wrap_up', tenant, queue, channel, agent, team, t_enq, start, end_, contact from wrap_ups
union all select name, tenant, null, null, agent, team, null, start, end_, '' from agent_spans;
