-- Agents of another switch: a state lasts from the fact that says it to the next one, a day at most.
create table fed_states as
with told as (
    select *, list_position(['agent_signed_in', 'agent_checked_in', 'agent_not_ready', 'agent_ready', 'agent_checked_out',
        'agent_signed_out'], fact) as turn
    from fed_facts where contact = '' and fact like 'agent\_%' escape '\'
), followed as (
    select *, lead(happened) over (partition by tenant, source, agent order by happened, turn, line_id) as end_ from told
)
select tenant, source, agent, nullif(team, '') as team, happened as start, end_,
    case fact when 'agent_signed_in' then 'signed_in' when 'agent_checked_out' then 'signed_in' when 'agent_ready' then 'ready'
        when 'agent_signed_out' then 'signed_out' else 'not_ready' end as state
from followed where end_ - happened <= 86400000;

create table shifts as
select tenant, source, agent, nullif(team, '') as team, planned_from as start,
    least(planned_to, planned_from + 2 * 86400000) as end_
from fed_facts where fact = 'shift_planned';

create table kept as
select s.tenant, s.agent, s.team, f.state, greatest(f.start, s.start) as start, least(f.end_, s.end_) as end_,
    s.start as shift_at
from shifts s join fed_states f using (tenant, source, agent)
where f.state <> 'signed_out' and greatest(f.start, s.start) < least(f.end_, s.end_);

-- with a contact the agent is busy and, being told ready all the while, so much less ready
create table fed_agent_spans as
with work as (select w.* from works w semi join fed_work_started f using (tenant, contact, leg))
select 'signed_in' as name, tenant, agent, team, start, end_, 1 as weight from fed_states where state <> 'signed_out'
union all select 'ready', tenant, agent, team, start, end_, 1 from fed_states where state = 'ready'
union all select 'busy', tenant, agent, team, start, end_, 1 from work
union all select 'ready', tenant, agent, team, start, end_, -1 from work
union all select 'scheduled_time', tenant, agent, team, start, end_, 1 from shifts
union all select 'adherent', tenant, agent, team, start, end_, 1 from kept where state = 'ready';

create table shift_points as
select 'scheduled' as name, tenant, agent, team, start as happened from shifts
union all select distinct 'present', tenant, agent, team, shift_at from kept;

-- a cost is its contact's first queue's, without a contact its own queue's
create table costs as
select 'cost_' || f.currency as name, f.tenant, coalesce(q.queue, f.queue) as queue,
    coalesce(q.channel, f.channel, 'unspecified') as channel, coalesce(q.happened, f.happened) as cohort_at,
    f.happened as event_at, f.amount_micros as value, f.name as contact
from fed_facts f left join (select * from fed_contact_queued where leg = 1) q using (tenant, stream)
where f.fact = 'cost_booked';
