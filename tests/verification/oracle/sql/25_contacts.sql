-- Contacts count to their first queue and its t_enq; who was never queued to queue '' and the arrival.
create table arrivals as
select c.tenant, c.stream, c.contact, c.t_arr, c.channel,
    coalesce(arg_min(q.queue, q.leg), '') as queue, coalesce(arg_min(q.t_enq, q.leg), c.t_arr) as cohort_at,
    count(q.leg) > 0 as queued
from contacts c left join queued q using (tenant, stream)
group by c.tenant, c.stream, c.contact, c.t_arr, c.channel;

create table endings as
select tenant, stream, min(happened) as ended_at, arg_min(reason, version) as reason from contact_ended group by all;

create table contact_points as
with system as (
    select tenant, stream, min(happened) as t_sys from system_connected group by all
), whole as (
    select a.*, s.t_sys, e.ended_at, e.reason, a.queued or c.stream is not null as reached
    from arrivals a left join system s using (tenant, stream) left join endings e using (tenant, stream)
        left join (select distinct tenant, stream from connected) c using (tenant, stream)
)
select 'started' as name, tenant, queue, channel, cohort_at, t_arr as event_at, contact from whole
union all select 'system_connected', tenant, queue, channel, cohort_at, coalesce(t_sys, t_arr), contact from whole
    where t_sys is not null or reached or (ended_at is not null and reason not in ('blocked', 'failed', 'not_reached'))
union all select 'ivr_entered', tenant, queue, channel, cohort_at, t_sys, contact from whole where t_sys is not null
union all select 'ivr_contained', tenant, queue, channel, cohort_at, ended_at, contact from whole
    where t_sys is not null and ended_at is not null and not reached and reason not in ('blocked', 'failed')
union all select 'answered_by_system', tenant, queue, channel, cohort_at, ended_at, contact from whole
    where reason = 'self_served'
union all select 'blocked_unqueued', tenant, queue, channel, cohort_at, ended_at, contact from whole
    where reason = 'blocked' and not queued
union all select 'trunk_seizures', tenant, a.queue, a.channel, a.cohort_at, t.happened, a.contact
    from trunk_seized t join arrivals a using (tenant, stream);

create table trunk_spans as
with begun as (select tenant, stream, trunk, line, min(happened) as start from trunk_seized group by all),
    over_ as (select tenant, stream, trunk, line, min(happened) as end_ from trunk_released group by all)
select tenant, a.queue, a.channel, a.cohort_at, b.start, greatest(o.end_, b.start) as end_, a.contact
from begun b join over_ o using (tenant, stream, trunk, line) join arrivals a using (tenant, stream);
