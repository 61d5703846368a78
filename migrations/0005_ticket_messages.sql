-- Messages of live tickets, captured as they arrive, for transcripts. `json`, not `jsonb`: members' text may hold \u0000.
create table ticket_messages (
    guild_id bigint not null,
    number integer not null,
    message_id bigint not null,
    channel_id bigint not null,
    author_id bigint not null,
    author_name text not null,
    author_is_bot boolean not null,
    content text not null,
    attachments json not null,
    embeds json not null,
    reply_to bigint,
    sent_at timestamptz not null,
    edited_at timestamptz,
    deleted_at timestamptz,
    primary key (guild_id, number, message_id),
    foreign key (guild_id, number) references tickets (guild_id, number) on delete cascade
);
