//! Many bots, and many small guilds, at once.

use std::collections::BTreeMap;

use serde::Serialize;
use twilight_model::id::{
    Id,
    marker::{ApplicationMarker, ChannelMarker, GuildMarker, RoleMarker, UserMarker},
};

use crate::{
    Sim,
    seed::{BOT, EVERYONE, Seed},
    snowflake,
    state::{Channel, Guild, Member, Role, State, kind},
};

/// A bot of one's own, as a customer has it.
#[derive(Clone, Debug, Serialize)]
pub struct Bot {
    /// Its application; the bot's user has the same id.
    pub application: Id<ApplicationMarker>,
    /// What it logs in with.
    pub token: String,
    /// The person in whose portal it stands.
    pub owner: Id<UserMarker>,
}

/// A guild with one text channel.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct SmallGuild {
    /// The guild.
    pub guild: Id<GuildMarker>,
    /// Its channel.
    pub channel: Id<ChannelMarker>,
}

impl Seed {
    /// As [`State::add_bots`]; they are members of the seeded guild, their owners as well.
    pub fn bots(&self, sim: &Sim, count: usize) -> Vec<Bot> {
        sim.write(|state| {
            let bots = state.add_bots(count);
            for bot in &bots {
                state.add_member(self.guild, bot.owner);
                state.install(self.guild, bot.application);
            }
            bots
        })
    }

    /// As [`State::add_guilds`], with the seeded bot in them and the seeded owner.
    pub fn guilds(&self, sim: &Sim, count: usize) -> Vec<SmallGuild> {
        sim.write(|state| state.add_guilds(count, self.application, self.admin))
    }
}

impl State {
    /// Bots, each of an owner of its own, and in no guild.
    pub fn add_bots(&mut self, count: usize) -> Vec<Bot> {
        let numbers = 1..=count;
        numbers
            .map(|number| {
                let owner = self.add_person(&format!("owner{number}"), &format!("Owner {number}"), None);
                let application = self.add_application(&format!("Bot {number}"));
                if let Some(found) = self.applications.get_mut(&application) {
                    found.owner = Some(owner);
                }
                let token = self.users.get(&application.cast()).map(|user| user.token.clone()).unwrap_or_default();
                Bot { application, token, owner }
            })
            .collect()
    }

    /// Small guilds of one owner, with one bot and one channel each. Their ids lie a millisecond apart, so that they are spread evenly over any
    /// number of shards.
    pub fn add_guilds(
        &mut self,
        count: usize,
        application: Id<ApplicationMarker>,
        owner: Id<UserMarker>,
    ) -> Vec<SmallGuild> {
        let now = self.now();
        let span = u64::try_from(count).unwrap_or(u64::MAX);
        let first = (snowflake::at(now) >> 22).saturating_sub(span).max(1);
        let below = rand::random_range(0..1 << 22);
        let name = self.applications.get(&application).map(|found| found.name.clone()).unwrap_or_default();
        let ids: Vec<Id<GuildMarker>> =
            (first..first + span).filter_map(|millisecond| Id::new_checked(millisecond << 22 | below)).collect();
        let made: Vec<_> = ids
            .into_iter()
            .enumerate()
            .map(|(number, id)| {
                let bot_role: Id<RoleMarker> = self.new_id();
                let roles = [
                    role(id.cast(), "@everyone", EVERYONE, None, 0),
                    role(bot_role, &name, BOT, Some(application.cast()), 1),
                ];
                let members = [(owner, Vec::new()), (application.cast(), vec![bot_role])]
                    .map(|(user_id, roles)| (user_id, Member { user_id, nick: None, roles, joined_at: now }));
                let guild = Guild {
                    id,
                    name: format!("Guild {number}"),
                    owner_id: owner,
                    roles: roles.into_iter().map(|role| (role.id, role)).collect(),
                    members: BTreeMap::from(members),
                    unavailable: false,
                };
                self.guilds.insert(id, guild);
                let channel = text_channel(id, self.new_id());
                let small = SmallGuild { guild: id, channel: channel.id };
                self.store_channel(channel);
                small
            })
            .collect();
        for small in &made {
            self.emit_guild_create(small.guild, owner);
            self.emit_guild_create(small.guild, application.cast());
        }
        made
    }
}

fn role(
    id: Id<RoleMarker>,
    name: &str,
    permissions: twilight_model::guild::Permissions,
    bot: Option<Id<UserMarker>>,
    position: i64,
) -> Role {
    Role {
        id,
        name: name.into(),
        permissions,
        position,
        color: 0,
        hoist: false,
        managed: bot.is_some(),
        mentionable: false,
        bot_id: bot,
    }
}

fn text_channel(guild: Id<GuildMarker>, id: Id<ChannelMarker>) -> Channel {
    Channel {
        id,
        kind: kind::TEXT,
        guild_id: Some(guild),
        name: "general".into(),
        topic: None,
        parent_id: None,
        position: 0,
        overwrites: Vec::new(),
        nsfw: false,
        rate_limit_per_user: 0,
        last_message_id: None,
        recipients: Vec::new(),
        thread: None,
    }
}
