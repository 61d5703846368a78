-- Clicks and events that had their effect, written in its transaction: one that comes again finds its row and has no second.
create table inbox (
    bot_id bigint not null,
    -- `click <interaction>` or `event <session>/<sequence>`.
    cause text not null,
    guild_id bigint not null,
    -- The change of a ticket that was the effect; neither where it was something else.
    number integer,
    version integer,
    at timestamptz not null default clock_timestamp(),
    primary key (bot_id, cause),
    constraint inbox_change_is_whole check ((number is null) = (version is null)),
    foreign key (guild_id, number, version) references ticket_events (guild_id, number, version) on delete cascade
);

-- Old rows go; see the worker's reconciler.
create index inbox_age on inbox (bot_id, at);

-- How a click was known to have opened its ticket until now.
insert into inbox (bot_id, cause, guild_id, number, version, at)
select bot_id, 'click ' || opening_interaction, guild_id, number, 1, opened_at
from tickets;

alter table tickets drop column opening_interaction;
