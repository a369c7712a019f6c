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
union all select 'handled', tenant, queue, channel, agent, team, t_enq, handled_at, null, 1, contact from wrap_ups
union all select p.name, p.tenant, l.queue, l.channel, l.agent, l.team, l.t_enq, p.happened, null, p.value, l.contact
    from leg_points p join legs l using (tenant, stream, leg)
union all select name, tenant, queue, channel, null, null, cohort_at, event_at, null, 1, contact from contact_points
union all select k.name, r.tenant, l.queue, l.channel, r.agent, r.team, l.t_enq, r.happened, null,
        case when k.ms then greatest(0, r.happened - r.since) else 1 end, l.contact
    from replies r join legs l using (tenant, stream, leg)
        join (values (true, 'first_responses', false), (true, 'first_response', true), (false, 'next_responses', false),
            (false, 'next_response', true)) k(first, name, ms) on k.first = r.first
union all select case when k.ms then t.name else t.name || 's' end, tenant, s.queue, s.channel, t.agent, null, s.opened_at,
        t.happened, null, case when k.ms then t.ms else 1 end, ''
    from ticket_times t join tickets s using (tenant, stream) cross join (values (true), (false)) k(ms)
union all select 'tickets_opened', tenant, queue, channel, null, null, opened_at, opened_at, null, 1, '' from tickets
union all select 'reopened', tenant, t.queue, t.channel, null, null, t.opened_at, r.happened, null, 1, ''
    from ticket_reopened r join tickets t using (tenant, stream)
union all select 'complaints', tenant, queue, channel, agent, null, opened_at, happened, null, value, '' from complaints
union all select k.name, tenant, queue, channel, null, null, t_enq, t_enq, null, k.value, contact
    from stays, lateral (values ('ewt_n', 1), ('ewt_p50', ewt_p50_ms), ('ewt_p90', ewt_p90_ms)) k(name, value)
    where ewt_p90_ms is not null
union all select k.name, tenant, queue, channel, null, null, t_enq, left_at, null, k.value, contact
    from stays, lateral (values ('ewt_scored', 1), ('ewt_p50_met', (wait_ms <= ewt_p50_ms)::bigint),
        ('ewt_p90_met', (wait_ms <= ewt_p90_ms)::bigint)) k(name, value)
    where ewt_p90_ms is not null and outcome = 'answered'
union all select name, tenant, null, null, agent, team, happened, happened, null, 1, '' from shift_points
union all select name, tenant, queue, channel, null, null, cohort_at, event_at, null, value, contact from costs
-- when it was first resolved, in both attributions
union all select k.name, tenant, queue, channel, agent, null, happened, happened, null, k.value::bigint, ''
    from first_resolutions, lateral (values ('fcr_resolved', true), ('fcr_once', once), ('fcr_final_resolved', settled),
        ('fcr_final_once', settled and once)) k(name, value);

-- `weight`: so much counts for each millisecond
create table spans as
select name, tenant, queue, channel, agent, team, cohort_at, start, end_, contact, 1 as weight from leg_spans
union all select 'wrap_up', tenant, queue, channel, agent, team, t_enq, start, end_, contact, 1 from wrap_ups
    where start is not null and end_ is not null
union all select 'trunk', tenant, queue, channel, null, null, cohort_at, start, end_, contact, 1 from trunk_spans
union all select 'queue_busy', tenant, queue, channel, agent, team, null, start, end_, contact, 1 from queue_busy
union all select name, tenant, null, null, agent, team, null, start, end_, '', 1 from agent_spans
union all select name, tenant, null, null, agent, team, null, start, end_, contact, 1 from chat_spans
union all select name, tenant, null, null, agent, team, null, start, end_, '', weight from fed_agent_spans
union all select 'chat_capacity', tenant, null, null, agent, team, null, start, end_, '', slots from agent_steps
    where end_ is not null and slots > 0 and state in ('ready', 'busy', 'wrap_up');
