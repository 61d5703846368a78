-- What a guild decides for all its tickets. /setup fills it id by id, so that a second run continues where one broke off.
create table guild_settings (
    guild_id bigint primary key,
    staff_role_id bigint,
    category_id bigint,
    transcript_channel_id bigint,
    ticket_limit smallint not null default 1 check (ticket_limit between 1 and 255),
    updated_at timestamptz not null default now()
);
