-- The ledger: every fact of an agent begins a state that lasts until the agent's next one; the states partition the shift.
-- An agent's time never goes back. A state that goes on has no end: what no later fact has changed counts nothing yet.
create table agent_steps as
with told as (
    select tenant, stream, version, happened, agent, team, pool, 'signed_in' as fact, null as mode, '' as why from agent_signed_in
    union all select tenant, stream, version, happened, agent, team, pool, 'checked_in', mode, '' from agent_checked_in
    union all select tenant, stream, version, happened, agent, team, pool, 'ready', null, '' from agent_ready
    union all select tenant, stream, version, happened, agent, team, pool, 'not_ready', null, reason || planned from agent_not_ready
    union all select tenant, stream, version, happened, agent, team, pool, 'checked_out', null, '' from agent_checked_out
    union all select tenant, stream, version, happened, agent, team, pool, 'signed_out', null, '' from agent_signed_out
    union all select tenant, stream, version, happened, agent, team, pool, 'work', null, null from work_started
    union all select tenant, stream, version, happened, agent, team, pool, 'free', null, null from work_ended
        where not wrap_up_follows
    union all select tenant, stream, version, happened, agent, team, pool, 'wrap', null, null from wrap_up_started
    union all select tenant, stream, version, happened, agent, team, pool, 'unwrap', null, null from wrap_up_ended
    union all select tenant, stream, version, happened, agent, team, pool, 'moved', null, null from team_assigned
    union all select tenant, stream, version, happened, agent, team, pool, 'able', null, null from capacity_set
), able as (
    select tenant, stream, version,
        list_sum([one.slots for one in capacities if one.channel not in ('voice', 'video', 'callback')]) as slots
    from capacity_set
), timed as (
    select * exclude (happened), max(happened) over (partition by tenant, stream order by version
        rows unbounded preceding) as start
    from told
), counted as (
    select timed.* exclude (mode, why), last_value(slots ignore nulls) over w as slots,
        last_value(mode ignore nulls) over w as mode, last_value(why ignore nulls) over w as why,
        last_value(case when fact in ('signed_in', 'checked_out') then true when fact = 'signed_out' then false end
            ignore nulls) over w as signed_in,
        last_value(case when fact = 'checked_in' then true
            when fact in ('signed_in', 'checked_out', 'signed_out') then false end ignore nulls) over w as checked_in,
        last_value(case when fact = 'ready' then true
            when fact in ('not_ready', 'checked_in', 'checked_out', 'signed_in', 'signed_out') then false end
            ignore nulls) over w as ready,
        sum(case fact when 'work' then 1 when 'free' then -1 when 'wrap' then -1 else 0 end) over w as talking,
        sum(case fact when 'wrap' then 1 when 'unwrap' then -1 else 0 end) over w as wrapping,
        lead(start) over (partition by tenant, stream order by version) as end_
    from timed left join able using (tenant, stream, version)
    window w as (partition by tenant, stream order by version rows unbounded preceding)
), stated as (
    select *, case
        when not coalesce(signed_in, false) then 'signed_out' when not coalesce(checked_in, false) then 'signed_in'
        when talking > 0 then 'busy' when wrapping > 0 then 'wrap_up' when ready then 'ready' else 'not_ready' end as state
    from counted
), standing as (
    select *, concat_ws('|', state, team, pool, coalesce(slots, 0), case state when 'not_ready' then why end,
        case when checked_in then mode end) as stands
    from stated
), changing as (
    select *, stands is distinct from lag(stands) over (partition by tenant, stream order by version) as changes
    from standing
)
select tenant, agent, team, start, coalesce(slots, 0) as slots, state,
    case when version < max(version) filter (changes) over (partition by tenant, stream) then end_ end as end_
from changing;

create table agent_spans as
select name, tenant, agent, team, start, end_
from agent_steps join (values
    ('busy', 'busy'), ('busy', 'wrap_up'), ('ready', 'ready'), ('signed_in', 'signed_in'), ('signed_in', 'ready'),
    ('signed_in', 'not_ready'), ('signed_in', 'busy'), ('signed_in', 'wrap_up')
) kinds(name, state) using (state)
where end_ is not null;

-- an agent's work with a contact, wrap-up included
create table begun_works as
with told as (
    select tenant, agent, contact, leg, arg_min(queue, version) as queue, arg_min(channel, version) as channel,
        arg_min(team, version) as team, min(happened) as start
    from work_started group by all
), over_ as (
    select tenant, agent, contact, leg, min(happened) as end_ from (
        select tenant, agent, contact, leg, happened from work_ended where not wrap_up_follows
        union all select tenant, agent, contact, leg, happened from wrap_up_ended
    ) group by all
)
select t.*, o.end_ from told t left join over_ o using (tenant, agent, contact, leg);

create table works as select * from begun_works where end_ is not null;

-- of a queue the union of it; as long as any of it goes on, a stretch has no end and counts nothing yet
create table queue_busy as
with own as (
    select * from begun_works anti join fed_work_started using (tenant, contact, leg)
), reached as (
    select *, max(coalesce(end_, 9000000000000000)) over (partition by tenant, agent, queue, channel order by start, end_
        rows between unbounded preceding and 1 preceding) as before
    from own
), stretched as (
    select *, count(*) filter (start >= coalesce(before, 0)) over (partition by tenant, agent, queue, channel
        order by start, end_ rows unbounded preceding) as stretch
    from reached
), ended as (
    select * from stretched qualify bool_and(end_ is not null) over (partition by tenant, agent, queue, channel, stretch)
)
select tenant, queue, channel, agent, team, greatest(start, coalesce(before, start)) as start, end_, contact
from ended where end_ > coalesce(before, start)
-- of fed calls one knows one at a time: each counts
union all select tenant, queue, channel, agent, team, start, end_, contact
from works semi join fed_work_started using (tenant, contact, leg);

-- written work: every conversation's own time, and the time in which there was any
create table chat_spans as
with written as (
    select * from begun_works anti join fed_work_started using (tenant, contact, leg)
    where channel not in ('voice', 'video', 'callback')
), reached as (
    select *, max(coalesce(end_, 9000000000000000)) over (partition by tenant, agent order by start, end_
        rows between unbounded preceding and 1 preceding) as before
    from written
), stretched as (
    select *, count(*) filter (start >= coalesce(before, 0)) over (partition by tenant, agent
        order by start, end_ rows unbounded preceding) as stretch
    from reached
), ended as (
    select * from stretched qualify bool_and(end_ is not null) over (partition by tenant, agent, stretch)
)
select 'chat_slot' as name, tenant, agent, team, start, end_, contact from written where end_ is not null
union all select 'chat_busy', tenant, agent, team, greatest(start, coalesce(before, start)), end_, contact
    from ended where end_ > coalesce(before, start);
