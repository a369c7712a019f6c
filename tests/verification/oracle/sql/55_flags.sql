-- kpis.md "Verdict rule" and the README's "Finality": what of a cohort does not change any more.
create table fed_ended as
select tenant, source from feed_ended group by all having count(distinct stream) = 16;

-- One row a queue and quarter hour in which it was asked for, by what the facts say.
create table quarter_flags as
with stayed as (
    select tenant, queue, t_enq - t_enq % 900000 as start, count(*) as offered,
        count(*) filter (outcome = 'answered') as answered, count(*) filter (outcome is null) as waiting
    from stays group by all
), told as (
    select distinct tenant, queue, interval_end - 900000 as start, true as verdicts from timer_elapsed where kind = 'finality'
    -- what is fed is final by its source's time alone: here, once it was given whole
    union select distinct q.tenant, q.queue, q.happened - q.happened % 900000, true
    from fed_contact_queued q join fed_ended e on e.tenant = q.tenant and q.stream like 'contact-' || e.source || ':%'
), handled as (
    select tenant, queue, t_enq - t_enq % 900000 as start, count(*) as handled from wrap_ups group by all
), heard as (
    select tenant, queue, t_enq - t_enq % 900000 as start, count(*) as queued from queued group by all
), trunks as (
    select distinct tenant, stream from trunk_seized s anti join trunk_released r using (tenant, stream, trunk, line)
), open as (
    select l.tenant, l.queue, l.t_enq - l.t_enq % 900000 as start, count(e.version) as disconnected,
        bool_or(o.ended_at is null or t.stream is not null) as open
    from legs l left join leg_ends e on e.tenant = l.tenant and e.stream = l.stream and e.leg = l.leg and l.t_br is not null
        left join endings o on o.tenant = l.tenant and o.stream = l.stream
        left join trunks t on t.tenant = l.tenant and t.stream = l.stream
    group by all
)
select tenant, queue, start, coalesce(offered, 0) as offered, offered is null or coalesce(verdicts, false) as verdicts_final,
    verdicts_final and coalesce(waiting, 0) = 0 as final,
    -- a contact that the queue's pool has not heard of is one that it may yet hear of
    final and coalesce(handled, 0) >= coalesce(answered, 0) and coalesce(disconnected, 0) >= coalesce(answered, 0)
        and coalesce(queued, 0) = coalesce(offered, 0) and not coalesce(open, false) as durations_final
from stayed full outer join heard using (tenant, queue, start) full outer join open using (tenant, queue, start)
    left join told using (tenant, queue, start) left join handled using (tenant, queue, start);

-- Longer rows have what all their quarter hours have, those of all queues what all queues have (queue ''). Before an
-- interval's end and T more, by the time of the queue's pool, anything may still come.
create table flags as
with places as (
    select d.tenant, any_value(k.clock) as clock, d.definition_queue as queue,
        arg_max(d.definition_service_level_threshold_ms, d.version) as target_ms
    from queue_defined d join clocks k using (tenant, stream) where not d.removed group by d.tenant, d.definition_queue
    union all select distinct q.tenant, case when e.tenant is null then 0 else 1125899906842624 end, q.queue, 20000
    from fed_contact_queued q left join fed_ended e on e.tenant = q.tenant and q.stream like 'contact-' || e.source || ':%'
), one as (
    select p.tenant, p.queue, c.step, c.start, c.end_, t.threshold_s,
        any_value(p.clock) >= c.end_ + t.threshold_s * 1000 as over,
        over and coalesce(bool_and(f.verdicts_final or t.threshold_s * 1000 <> p.target_ms), true) as verdicts_final,
        over and coalesce(bool_and(f.final), true) as final,
        over and coalesce(bool_and(f.durations_final), true) as durations_final
    from places p cross join calendar c cross join thresholds t
        left join quarter_flags f on f.tenant = p.tenant and f.queue = p.queue and f.start >= c.start and f.start < c.end_
    group by p.tenant, p.queue, c.step, c.start, c.end_, t.threshold_s
), unqueued as (
    select distinct p.tenant, c.step, c.start
    from points p join calendar c on p.cohort_at >= c.start and p.cohort_at < c.end_ where p.queue = ''
)
select tenant, queue, step, start, threshold_s, verdicts_final, final, durations_final from one
union all
select o.tenant, '', o.step, o.start, o.threshold_s, bool_and(o.verdicts_final), bool_and(o.final),
    bool_and(o.durations_final and u.tenant is null)
from one o left join unqueued u using (tenant, step, start) group by o.tenant, o.step, o.start, o.threshold_s;
