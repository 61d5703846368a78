-- What the cache must not forget: guilds with all that is known of them, as one bot sees them. Lists lie in one table, for every change of
-- every guild in a batch is then one statement; `data` is the compact form of the cache (MessagePack), which nobody asks by SQL.
create schema if not exists cache;

-- How far each guild's events are folded. A row outlives its guild, so that an older event does not bring the guild back.
create table cache.places (
    bot_id bigint not null,
    guild_id bigint not null,
    -- Gateway session and number of the last event, and when the sharder received it.
    session text not null,
    sequence bigint not null,
    received_ms bigint not null,
    -- Sessions before this one, divided by spaces, the latest first.
    superseded text not null,
    -- Changes of this guild so far, and the number of the last one after which answers of Discord from before are not to be believed.
    version bigint not null,
    epoch bigint not null,
    primary key (bot_id, guild_id)
);

create table cache.guilds (
    bot_id bigint not null,
    guild_id bigint not null,
    version bigint not null,
    -- False where only an outage is known of it.
    known boolean not null,
    unavailable boolean not null,
    member_count integer,
    -- Microseconds since 1970.
    joined_us bigint,
    data bytea not null,
    primary key (bot_id, guild_id)
);

create table cache.entities (
    bot_id bigint not null,
    guild_id bigint not null,
    -- 1 channel, 2 thread, 3 role, 4 emoji, 5 member.
    kind smallint not null,
    id bigint not null,
    -- A thread's channel.
    parent_id bigint,
    -- The guild's version by which it became so.
    version bigint not null,
    -- Members: when they were last known to be so, and the day since 1970 on which somebody last saw or asked for them.
    seen_ms bigint not null,
    used_day integer not null,
    data bytea not null,
    primary key (bot_id, guild_id, kind, id)
) with (fillfactor = 90);

-- Members that nobody uses go one day.
create index entities_by_use on cache.entities (used_day) where kind = 5;

-- What goes with a guild. A foreign key would look for the guild at every row that is inserted.
create function cache.forget_entities() returns trigger language plpgsql as $$
begin
    delete from cache.entities using gone
    where entities.bot_id = gone.bot_id and entities.guild_id = gone.guild_id;
    return null;
end
$$;

create trigger guilds_take_their_entities_along after delete on cache.guilds
referencing old table as gone
for each statement execute function cache.forget_entities();

-- Users are the same for every guild and bot: `seen_ms`, when an event told of them, orders what guilds tell.
create table cache.users (
    user_id bigint primary key,
    seen_ms bigint not null,
    used_day integer not null,
    data bytea not null
);

create index users_by_use on cache.users (used_day);
