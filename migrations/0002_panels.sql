-- Panels are the messages whose button opens tickets; `posting` marks one that was sent and whose answer is not known.
create table panels (
    guild_id bigint not null,
    panel_id bigint generated always as identity,
    channel_id bigint not null,
    title text not null,
    body text not null,
    button_label text not null,
    state text not null default 'unposted' check (state in ('unposted', 'posting', 'posted')),
    message_id bigint unique,
    created_at timestamptz not null default now(),
    primary key (guild_id, panel_id),
    constraint panels_posted_has_message check ((state = 'posted') = (message_id is not null))
);
