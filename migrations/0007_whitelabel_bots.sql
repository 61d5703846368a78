-- Customers' own bots: what each is to do, what Discord said of it, and whether its owner knows. Nothing here deletes one.
create table whitelabel_bots (
    bot_id bigint primary key,
    owner_id bigint not null,
    -- Sealed for this row (common::crypto): in another row it does not open.
    token bytea not null check (length(token) > 44),
    -- Counted up whenever the token is to be tried anew: it is another one, or it is the same one after a refusal.
    token_version integer not null default 1 check (token_version > 0),
    -- Whether the bot asks for the privileged intent MESSAGE_CONTENT.
    message_content boolean not null default true,
    presence_status text check (presence_status in ('online', 'idle', 'dnd', 'invisible')),
    activity_kind text check (activity_kind in ('playing', 'listening', 'watching', 'competing', 'custom')),
    activity_text text check (length(activity_text) between 1 and 128),
    enabled boolean not null default true,
    health text not null default 'ok' check (health in ('ok', 'refused')),
    -- A close code of the gateway, or 401 of the REST API.
    refused_code integer,
    refused_reason text,
    refused_at timestamptz,
    notice text check (notice in ('due', 'told', 'undeliverable')),
    notice_leased_until timestamptz,
    owner_told_at timestamptz,
    -- Counted up by each change.
    version integer not null default 1 check (version > 0),
    created_at timestamptz not null default clock_timestamp(),
    updated_at timestamptz not null default clock_timestamp(),
    constraint whitelabel_bots_activity_is_whole check ((activity_kind is null) = (activity_text is null)),
    constraint whitelabel_bots_activity_has_status check (activity_kind is null or presence_status is not null),
    constraint whitelabel_bots_refusal_is_whole check (
        (health = 'refused')
        = all (array[refused_code is not null, refused_reason is not null, refused_at is not null, notice is not null])
    ),
    constraint whitelabel_bots_told_has_time check ((notice is not distinct from 'told') = (owner_told_at is not null))
);

create index whitelabel_bots_notice_due on whitelabel_bots (refused_at) where notice = 'due';
