-- Counts and sums of every group and interval. `groups` says by what: bits of queue, channel, agent, team not grouped by.
create table dated as
select 'cohort' as attribution, cohort_at as happened, * from points where cohort_at is not null
union all select 'event', event_at, * from points where event_at is not null;

create table sums as
select attribution, tenant, step, start, end_, grouping_id(queue, channel, agent, team) as groups, queue, channel, agent, team,
    name, sum(value) as value, list(contact order by contact)[:20] as contacts
from (
    select d.attribution, d.tenant, c.step, c.start, c.end_, queue, channel, agent, team, name, value, contact
    from dated d join calendar c on d.happened >= c.start and d.happened < c.end_
    union all
    select 'cohort', s.tenant, c.step, c.start, c.end_, queue, channel, agent, team, name, (s.end_ - s.start) * weight, contact
    from spans s join calendar c on s.cohort_at >= c.start and s.cohort_at < c.end_
    union all
    select a.attribution, s.tenant, c.step, c.start, c.end_, queue, channel, agent, team, name,
        (least(s.end_, c.end_) - greatest(s.start, c.start)) * weight, contact
    from spans s join calendar c on s.start < c.end_ and s.end_ > c.start
        join (values ('event'), ('cohort')) a(attribution) on a.attribution = 'event' or s.cohort_at is null
)
group by grouping sets (
    (attribution, tenant, step, start, end_, name, queue), (attribution, tenant, step, start, end_, name, channel),
    (attribution, tenant, step, start, end_, name, queue, channel), (attribution, tenant, step, start, end_, name, agent),
    (attribution, tenant, step, start, end_, name, team), (attribution, tenant, step, start, end_, name),
    (attribution, tenant, step, start, end_, name, queue, agent)
);

create table sums_within as
select attribution, tenant, c.step, c.start, c.end_, grouping_id(queue, channel, agent, team) as groups,
    queue, channel, agent, team, t.threshold_s, name, count(*) filter (wait_ms <= t.threshold_s * 1000) as value
from dated d join calendar c on d.happened >= c.start and d.happened < c.end_ cross join thresholds t
where wait_ms is not null
group by grouping sets (
    (attribution, tenant, c.step, c.start, c.end_, t.threshold_s, name, queue),
    (attribution, tenant, c.step, c.start, c.end_, t.threshold_s, name, channel),
    (attribution, tenant, c.step, c.start, c.end_, t.threshold_s, name, queue, channel),
    (attribution, tenant, c.step, c.start, c.end_, t.threshold_s, name, agent),
    (attribution, tenant, c.step, c.start, c.end_, t.threshold_s, name, team),
    (attribution, tenant, c.step, c.start, c.end_, t.threshold_s, name),
    (attribution, tenant, c.step, c.start, c.end_, t.threshold_s, name, queue, agent)
);
