-- Fed calls (external.events.v1) told as our own services would have told them: one table a fact, `fed_` and its name.
-- Of calls that make sense: what is told twice, or of nobody, is none of the definitions' business. Facts of a contact in
-- order of time, then in the order in which they make sense.
create table fed_facts as
select distinct tenant, stream as feed, source, line_id, fact, happened, contact, queue, agent, team, outcome, reason, score,
    amount_micros, currency, planned_from, planned_to, nullif(channel, 'unspecified') as channel,
    source || ':' || contact as name, 'contact-' || source || ':' || contact as stream,
    list_position(['contact_started', 'trunk_seized', 'contact_queued', 'contact_offered', 'offer_expired', 'offer_declined',
        'contact_answered', 'contact_abandoned', 'contact_flowed_out', 'contact_dequeued', 'contact_held', 'contact_resumed',
        'contact_transferred', 'agent_disconnected', 'wrap_up_started', 'wrap_up_ended', 'survey_answered', 'trunk_released',
        'customer_disconnected', 'contact_ended'], fact) as rank
from (select * exclude (happened), "at" as happened from call_fact_fed);

create table fed_told as
select f.*, c.channel as of_contact, c.started_at,
    row_number() over w as version, sum((fact = 'contact_queued')::int) over w as leg
from fed_facts f join (
    select tenant, stream, coalesce(arg_min(channel, (happened, rank)) filter (channel is not null), 'unspecified') as channel,
        min(happened) filter (fact = 'contact_started') as started_at
    from fed_facts where contact <> '' group by all
) c using (tenant, stream)
where contact <> ''
window w as (partition by tenant, stream order by happened, rank, line_id);

create table fed_contact_started as
select tenant, stream, version, happened, of_contact as channel from fed_told where fact = 'contact_started';
create table fed_contact_queued as
select tenant, stream, leg, version, happened, queue, of_contact as channel from fed_told where fact = 'contact_queued';
create table fed_contact_waiting as
select tenant, stream, version, name as contact, leg, queue, of_contact as channel, happened as queued_at,
    case when started_at <= happened then started_at else happened end as arrived_at,
    0 as estimated_wait_p50_ms, 0 as estimated_wait_p90_ms
from fed_told where fact = 'contact_queued';

-- a stay ends with the first word that it is over
create table fed_ends as
select t.*, case fact when 'contact_answered' then 'answered' when 'contact_abandoned' then 'abandoned'
    when 'contact_flowed_out' then 'flowed_out' else outcome end as ends
from fed_told t
where fact in ('contact_answered', 'contact_abandoned', 'contact_flowed_out', 'contact_dequeued')
qualify row_number() over (partition by tenant, stream, leg order by version) = 1;

create table fed_contact_dequeued as
select e.tenant, e.stream, e.version, e.name as contact, e.leg, q.queue, q.channel, q.happened as queued_at, e.ends as outcome,
    e.happened as left_at, null::bigint as accepted_at, nullif(e.agent, '') as agent, nullif(e.team, '') as team
from fed_ends e join fed_contact_queued q using (tenant, stream, leg);

create table fed_agent_connected as
select e.tenant, e.stream, e.leg, e.version, e.happened, q.queue, q.channel, nullif(e.agent, '') as agent,
    nullif(e.team, '') as team
from fed_ends e join fed_contact_queued q using (tenant, stream, leg) where ends = 'answered';

create table fed_of_legs as
select t.tenant, t.stream, t.leg, t.version, t.happened, t.fact, t.score, t.name, c.agent, c.team, c.queue, c.channel
from fed_told t join fed_agent_connected c using (tenant, stream, leg)
where t.version > c.version and t.fact in ('contact_held', 'contact_resumed', 'contact_transferred', 'agent_disconnected',
    'wrap_up_started', 'wrap_up_ended', 'survey_answered');
create table fed_contact_held as from fed_of_legs where fact = 'contact_held';
create table fed_contact_resumed as from fed_of_legs where fact = 'contact_resumed';
create table fed_contact_transferred as from fed_of_legs where fact = 'contact_transferred';
create table fed_agent_disconnected as from fed_of_legs where fact = 'agent_disconnected';
create table fed_survey_answered as select *, 0 as max_score from fed_of_legs where fact = 'survey_answered';
create table fed_contact_ended as
select tenant, stream, version, happened, coalesce(nullif(reason, ''), 'unspecified') as reason
from fed_told where fact = 'contact_ended';
create table fed_trunk_seized as
select tenant, stream, version, happened, '' as trunk, '' as line from fed_told where fact = 'trunk_seized';
create table fed_trunk_released as
select tenant, stream, version, happened, '' as trunk, '' as line from fed_told where fact = 'trunk_released';

-- an offer goes on until it is told to be over, or until the stay is
create table fed_contact_offered as
select tenant, stream, version, happened, name as contact, leg, q.queue, name || '/' || version as offer_id, agent, team
from fed_told t join (select tenant, stream, leg, queue from fed_contact_queued) q using (tenant, stream, leg)
where fact = 'contact_offered';
create table fed_offer_ends as
select o.tenant, o.stream, o.offer_id, t.version, t.happened, case
        when t.fact in ('offer_declined', 'offer_expired') then t.fact
        when t.agent = o.agent and e.ends = 'answered' then 'offer_accepted' else 'offer_withdrawn' end as fact
from fed_contact_offered o join fed_told t using (tenant, stream, leg)
    left join fed_ends e on e.tenant = t.tenant and e.stream = t.stream and e.version = t.version
where t.version > o.version and (e.version is not null or (t.fact in ('offer_declined', 'offer_expired') and t.agent = o.agent))
qualify row_number() over (partition by o.tenant, o.offer_id order by t.version) = 1;
create table fed_offer_accepted as from fed_offer_ends where fact = 'offer_accepted';
create table fed_offer_declined as from fed_offer_ends where fact = 'offer_declined';
create table fed_offer_expired as from fed_offer_ends where fact = 'offer_expired';
create table fed_offer_withdrawn as from fed_offer_ends where fact = 'offer_withdrawn';

-- work: from the answer until it is handled, at the end of the wrap-up or, where there is none, when the agent is gone
create table fed_wrap_up_started as
select tenant, stream, version, happened, agent, team, name as contact, leg, queue, channel
from fed_of_legs where fact = 'wrap_up_started';
create table fed_wrap_up_ended as
select tenant, stream, version, happened, agent, team, name as contact, leg, queue, channel
from fed_of_legs where fact = 'wrap_up_ended';
create table fed_work_started as
select tenant, stream, version, happened, agent, team, substr(stream, length('contact-') + 1) as contact, leg, queue, channel
from fed_agent_connected where agent is not null;
create table fed_work_ended as
select c.tenant, c.stream, min(t.version) as version, arg_min(t.happened, t.version) as happened, c.agent, c.team,
    substr(c.stream, length('contact-') + 1) as contact, c.leg, c.queue, c.channel, false as wrap_up_follows
from fed_agent_connected c
    join fed_told t on t.tenant = c.tenant and t.stream = c.stream and t.version > c.version
        and (t.fact = 'contact_ended' or (t.fact = 'agent_disconnected' and t.leg = c.leg))
    anti join fed_wrap_up_started w on w.tenant = c.tenant and w.stream = c.stream and w.leg = c.leg
group by all;
