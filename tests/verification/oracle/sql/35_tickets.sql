-- Tickets count to the queue and channel they came from, in cohort to when they were opened.
create table tickets as
select tenant, stream, arg_min(queue, version) as queue, arg_min(channel, version) as channel,
    min(happened) as opened_at, arg_min(kind, version) as kind,
    arg_min(customer_ref, version) as customer, arg_min(topic, version) as topic
from ticket_opened group by all;

-- a round begins with the opening and with each reopening
create table ticket_words as
with told as (
    select tenant, stream, version, happened, 'opened' as what, '' as agent from ticket_opened
    union all select tenant, stream, version, happened, 'opened', '' from ticket_reopened
    union all select tenant, stream, version, happened, 'resolved', resolved_by from ticket_resolved
    union all select tenant, stream, version, happened, case when author = '' then 'asked' else 'replied' end, author
        from ticket_commented where visibility = 'public' and not automatic
)
select *, sum((what = 'opened')::int) over w as round,
    max(happened) filter (what = 'opened') over w as round_at,
    sum((what = 'replied')::int) over w as replies
from told window w as (partition by tenant, stream order by version rows unbounded preceding);

create table ticket_times as
with firsts as (
    select tenant, stream, round, arg_min(agent, version) as agent, min(version) as version, arg_min(happened, version) as happened,
        any_value(round_at) as since
    from ticket_words where what = 'replied' group by all
), later as (
    select r.tenant, r.stream, r.agent, r.happened,
        (select min(a.happened) from ticket_words a where a.tenant = r.tenant and a.stream = r.stream and a.what = 'asked'
            and a.replies = r.replies - 1 and a.version < r.version) as since
    from ticket_words r anti join firsts f on f.tenant = r.tenant and f.stream = r.stream and f.version = r.version
    where r.what = 'replied'
)
select 'first_response' as name, tenant, stream, agent, happened, greatest(0, happened - since) as ms from firsts
union all select 'next_response', tenant, stream, agent, happened, greatest(0, happened - since) from later
    where since is not null
union all select 'resolution', tenant, stream, agent, happened, greatest(0, happened - round_at) from ticket_words
    where what = 'resolved';

create table complaints as
with marked as (
    select tenant, stream, arg_min(about_agent, version) as agent, min(happened) as happened
    from complaint_marked where not withdrawn group by all
), withdrawn as (
    select tenant, stream, min(happened) as happened from complaint_marked where withdrawn group by all
), found as (
    select t.tenant, t.stream, t.queue, t.channel, t.opened_at,
        case when t.kind = 'complaint' then t.opened_at else m.happened end as happened,
        case when t.kind = 'complaint' then null else nullif(m.agent, '') end as agent
    from tickets t left join marked m using (tenant, stream)
    where t.kind = 'complaint' or m.stream is not null
)
select *, 1 as value from found
union all select f.* replace (w.happened as happened), -1 from found f join withdrawn w using (tenant, stream);

-- fcr: of the tickets first resolved, those that did not come back within 7 days, reopened or as another of the customer's
create table first_resolutions as
with first as (
    select tenant, stream, min(version) as version, arg_min(happened, version) as happened,
        arg_min(resolved_by, version) as agent
    from ticket_resolved group by all
), within as (
    select f.*, t.queue, t.channel, t.customer, t.topic, t.opened_at, f.happened + 7 * 86400000 as until
    from first f join tickets t using (tenant, stream) where t.customer <> ''
)
select tenant, stream, queue, channel, nullif(agent, '') as agent, happened, getvariable('now') > until as settled,
    not exists (from ticket_reopened r where r.tenant = w.tenant and r.stream = w.stream and r.version > w.version
            and r.happened <= until)
        and not exists (from tickets o where o.tenant = w.tenant and o.stream <> w.stream and o.customer = w.customer
            and o.topic = w.topic and o.opened_at > w.opened_at and o.opened_at <= until) as once
from within w;
