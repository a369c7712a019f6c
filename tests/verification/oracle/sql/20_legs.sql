-- What an agent does with a contact, from the contact's own stream: talk from t_br to t_ag_end without holds.
create table contacts as
select tenant, stream, substr(stream, length('contact-') + 1) as contact, channel, direction, happened as t_arr
from contact_started;

create table queued as
select tenant, stream, leg, arg_min(queue, version) as queue, arg_min(channel, version) as channel, min(happened) as t_enq
from contact_queued group by all;

create table legs as
select c.tenant, c.stream, c.leg, arg_min(c.queue, c.version) as queue, arg_min(c.agent, c.version) as agent,
    arg_min(c.team, c.version) as team,
    any_value(coalesce(q.channel, s.channel, c.channel)) as channel,
    min(c.happened) as t_br,
    coalesce(any_value(q.t_enq), min(c.happened)) as t_enq
from agent_connected c
    left join queued q using (tenant, stream, leg) left join contacts s using (tenant, stream)
group by c.tenant, c.stream, c.leg;

-- every fact of a leg begins a state that lasts until the leg's next one
create table leg_spans as
with told as (
    select tenant, stream, leg, version, happened, 'talk' as name from agent_connected
    union all select tenant, stream, leg, version, happened, 'hold' from contact_held
    union all select tenant, stream, leg, version, happened, 'talk' from contact_resumed
    union all select tenant, stream, leg, version, happened, 'over' from agent_disconnected
), followed as (
    select *, lead(happened) over (partition by tenant, stream, leg order by version) as end_ from told
)
select f.name, tenant, l.queue, l.channel, l.agent, l.team, l.t_enq as cohort_at, f.happened as start, f.end_,
    substr(stream, length('contact-') + 1) as contact
from followed f join legs l using (tenant, stream, leg)
where f.name <> 'over' and f.end_ is not null;

create table transfers as
select t.tenant, t.queue, coalesce(q.channel, s.channel) as channel, t.agent, t.team, t.leg, t.stream, t.happened,
    coalesce(q.t_enq, t.happened) as t_enq
from contact_transferred t
    left join queued q using (tenant, stream, leg) left join contacts s using (tenant, stream);

-- Work after the contact, from the agent's own stream: it begins with the end of the agent's leg.
create table wrap_ups as
with begun as (
    select tenant, agent, contact, leg, arg_min(team, version) as team, arg_min(queue, version) as queue,
        arg_min(channel, version) as channel, min(happened) as start
    from wrap_up_started group by all
), over_ as (select tenant, agent, contact, leg, min(happened) as end_ from wrap_up_ended group by all)
select b.*, o.end_, coalesce(q.t_enq, b.start) as t_enq
from begun b join over_ o using (tenant, agent, contact, leg)
    left join queued q on q.tenant = b.tenant and q.stream = 'contact-' || b.contact and q.leg = b.leg;
