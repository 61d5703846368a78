-- Tickets and their counters. Whoever opens a ticket locks the guild's counter first: limits and numbers need no other lock.
create table ticket_counters (
    guild_id bigint primary key,
    last_number integer not null default 0 check (last_number >= 0)
);

create table tickets (
    guild_id bigint not null,
    number integer not null check (number > 0),
    -- The version of the newest row in ticket_events.
    version integer not null default 1 check (version > 0),
    bot_id bigint not null,
    panel_id bigint,
    opener_id bigint not null,
    subject text,
    state text not null default 'opening'
        check (state in ('opening', 'open', 'closing', 'closed', 'abandoned')),
    nonce uuid not null default gen_random_uuid() unique,
    opening_interaction bigint not null unique,
    channel_id bigint,
    welcome_message_id bigint,
    claimed_by bigint,
    opened_at timestamptz not null default clock_timestamp(),
    close_step text check (close_step in ('begun', 'locked', 'swept', 'archived', 'removed')),
    closed_by bigint,
    close_reason text,
    closed_at timestamptz,
    leased_until timestamptz,
    primary key (guild_id, number),
    constraint tickets_panel_of_guild
        foreign key (guild_id, panel_id) references panels (guild_id, panel_id) on delete set null (panel_id),
    constraint tickets_live_has_channel check (state not in ('open', 'closing') or channel_id is not null),
    constraint tickets_closing_has_step check ((state in ('closing', 'closed')) = (close_step is not null)),
    constraint tickets_unfinished_has_lease check ((state in ('opening', 'closing')) = (leased_until is not null)),
    constraint tickets_ended_has_time check ((state in ('closed', 'abandoned')) = (closed_at is not null))
);

-- A channel belongs to one ticket, for ever: Discord never gives an id twice.
create unique index tickets_channel on tickets (channel_id) where channel_id is not null;

-- What counts against a member's limit.
create index tickets_slots on tickets (guild_id, opener_id)
    where state in ('opening', 'open') or (state = 'closing' and close_step = 'begun');

create index tickets_live on tickets (guild_id, number) where state in ('open', 'closing');

create index tickets_leases on tickets (bot_id, leased_until) where leased_until is not null;

create index tickets_panel on tickets (guild_id, panel_id) where panel_id is not null;
