-- What an agent does with a contact, from the contact's own stream: talk from t_br to t_ag_end without holds.
create table contacts as
select tenant, stream, any_value(substr(stream, length('contact-') + 1)) as contact,
    arg_min(channel, version) as channel, min(happened) as t_arr
from contact_started group by tenant, stream;

create table queued as
select tenant, stream, leg, arg_min(queue, version) as queue, arg_min(channel, version) as channel, min(happened) as t_enq
from contact_queued group by all;

create table connected as
select tenant, stream, leg, arg_min(agent, version) as agent, arg_min(team, version) as team,
    arg_min(queue, version) as queue, arg_min(channel, version) as channel,
    min(happened) as t_br, min(version) as version
from agent_connected group by all;

create table legs as
select tenant, stream, leg, substr(stream, length('contact-') + 1) as contact,
    coalesce(q.queue, c.queue) as queue,
    coalesce(nullif(q.channel, 'unspecified'), s.channel, c.channel) as channel,
    c.agent, c.team, c.t_br, c.version, coalesce(q.t_enq, c.t_br) as t_enq
from queued q full outer join connected c using (tenant, stream, leg) left join contacts s using (tenant, stream);

-- the agent's leg ends with its own fact, or with the contact, whichever comes first
create table leg_ends as
select l.tenant, l.stream, l.leg, arg_min(e.happened, e.version) as t_ag_end, min(e.version) as version
from legs l join (
    select tenant, stream, leg, version, happened from agent_disconnected
    union all select tenant, stream, null, version, happened from contact_ended
) e on e.tenant = l.tenant and e.stream = l.stream and coalesce(e.leg, l.leg) = l.leg and e.version > l.version
group by all;

-- every fact of a connected leg begins a state that lasts until the leg's next one, and counts once that is there
create table leg_spans as
with told as (
    select tenant, stream, leg, version, t_br as happened, 'talk' as name from legs where t_br is not null
    union all select tenant, stream, leg, version, happened, 'hold' from contact_held
    union all select tenant, stream, leg, version, happened, 'talk' from contact_resumed
    union all select tenant, stream, leg, version, t_ag_end, 'over' from leg_ends
), followed as (
    select t.*, lead(happened) over (partition by tenant, stream, leg order by t.version) as end_
    from told t join legs l using (tenant, stream, leg) left join leg_ends e using (tenant, stream, leg)
    where t.version >= l.version and (e.version is null or t.version <= e.version)
)
select f.name, tenant, l.queue, l.channel, l.agent, l.team, l.t_enq as cohort_at, f.happened as start,
    greatest(f.end_, f.happened) as end_, l.contact
from followed f join legs l using (tenant, stream, leg)
where f.name <> 'over' and f.end_ is not null;

-- Work after the contact: of answered legs, by the agent who answered. Without a wrap-up a leg is handled when work ends.
-- Of the agent's own facts only those that the pool has repeated: there they meet the leg. Fed ones are the contact's.
create table wrap_ups as
with told as (
    select *, 'begun' as fact from wrap_up_started union all by name select *, 'over' as fact from wrap_up_ended
    union all by name select * exclude (wrap_up_follows), 'plain' as fact from work_ended where not wrap_up_follows
), met as (
    select told.* from told where stream like 'contact-%'
    union all select told.* from told semi join agent_observed o
        on o.source_stream = told.tenant || '/' || told.stream and o.source_version = told.version
), begun as (
    select tenant, agent, contact, leg, min(happened) as start from met where fact = 'begun' group by all
), over_ as (
    select tenant, agent, contact, leg, min(happened) as end_ from met where fact = 'over' group by all
), plain as (
    select tenant, agent, contact, leg, min(happened) as end_ from met where fact = 'plain' group by all
)
select s.tenant, s.queue, s.channel, s.agent, s.team, s.contact, s.t_enq, b.start, greatest(o.end_, b.start) as end_,
    coalesce(o.end_, p.end_) as handled_at
from stays s
    left join begun b using (tenant, agent, contact, leg) left join over_ o using (tenant, agent, contact, leg)
    left join plain p using (tenant, agent, contact, leg)
where s.outcome = 'answered' and coalesce(o.end_, p.end_) is not null;

-- What a leg's facts count besides: passed on, rated.
create table leg_points as
select 'transferred' as name, f.tenant, f.stream, f.leg, f.happened, 1::bigint as value from contact_transferred f
union all select 'score_sum', tenant, stream, leg, happened, score from survey_answered
union all select 'score_max', tenant, stream, leg, happened, case max_score when 0 then 5 else max_score end
    from survey_answered;

-- A reply by a human, and the customer's words that it may answer.
create table replies as
with words as (
    select tenant, stream, leg, version, happened, agent, team, true as ours from message_sent
        where sender = 'agent' or (sender = 'unspecified' and agent <> '')
    union all select tenant, stream, leg, version, happened, agent, team, false from message_received
        where sender not in ('robot', 'system', 'agent')
), numbered as (
    select *, coalesce(sum(ours::int) over (partition by tenant, stream order by version
        rows between unbounded preceding and 1 preceding), 0) as replies_before
    from words
), asked as (
    select tenant, stream, replies_before, min(happened) as since from numbered where not ours group by all
), begun as (
    select tenant, stream, coalesce(min(q.t_enq), min(c.t_br)) as since
    from queued q full outer join connected c using (tenant, stream, leg) group by all
)
select n.tenant, n.stream, n.leg, n.agent, n.team, n.happened, n.replies_before = 0 as first,
    case when n.replies_before = 0 then b.since else a.since end as since
from numbered n left join begun b using (tenant, stream)
    left join asked a on a.tenant = n.tenant and a.stream = n.stream and a.replies_before = n.replies_before
where n.ours and case when n.replies_before = 0 then b.since else a.since end is not null;
