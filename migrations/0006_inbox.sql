-- Events and clicks whose effect is done, so that one that comes again has none.
create table inbox (
    bot_id bigint not null,
    event_key text not null,
    at timestamptz not null default now(),
    primary key (bot_id, event_key)
);

create index inbox_at on inbox (at);
