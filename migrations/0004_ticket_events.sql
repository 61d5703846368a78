-- Audit log and outbox: every change of a ticket writes its row here in the same statement, with the ticket's new version.
create table ticket_events (
    guild_id bigint not null,
    number integer not null,
    version integer not null check (version > 0),
    actor_id bigint,
    at timestamptz not null default clock_timestamp(),
    payload jsonb not null check (payload ? 'type'),
    primary key (guild_id, number, version),
    foreign key (guild_id, number) references tickets (guild_id, number) on delete cascade
);
