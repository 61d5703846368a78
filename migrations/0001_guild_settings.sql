-- What a guild decides for all its tickets. /setup fills it id by id, so that a second run continues where one broke off.
-- Of two runs at once one has the lease; `setup_since` is the oldest one that may have made what was not stored.
create table guild_settings (
    guild_id bigint primary key,
    staff_role_id bigint,
    category_id bigint,
    transcript_channel_id bigint,
    ticket_limit smallint not null default 1 check (ticket_limit between 1 and 255),
    setup_by bigint,
    setup_leased_until timestamptz,
    setup_since bigint,
    updated_at timestamptz not null default now(),
    constraint guild_settings_setup_has_lease check ((setup_by is null) = (setup_leased_until is null)),
    constraint guild_settings_setup_has_since check (setup_by is null or setup_since is not null)
);
