//! Worlds to begin with: building blocks, and the guild that the demo and most tests use.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use base64::{Engine as _, engine::general_purpose::STANDARD_NO_PAD};
use ed25519_dalek::SigningKey;
use serde_json::json;
use twilight_model::{
    guild::Permissions,
    id::{
        Id,
        marker::{ApplicationMarker, ChannelMarker, GuildMarker, RoleMarker, UserMarker},
    },
};

use crate::{
    Sim,
    state::{Application, Audience, Channel, Event, Guild, Member, Overwrite, Principal, Role, State, User, kind},
};

/// What everybody may do in a new guild.
pub const EVERYONE: Permissions = Permissions::VIEW_CHANNEL
    .union(Permissions::SEND_MESSAGES)
    .union(Permissions::SEND_MESSAGES_IN_THREADS)
    .union(Permissions::READ_MESSAGE_HISTORY)
    .union(Permissions::ADD_REACTIONS)
    .union(Permissions::ATTACH_FILES)
    .union(Permissions::EMBED_LINKS)
    .union(Permissions::USE_EXTERNAL_EMOJIS)
    .union(Permissions::USE_SLASH_COMMANDS)
    .union(Permissions::CHANGE_NICKNAME)
    .union(Permissions::CREATE_PUBLIC_THREADS)
    .union(Permissions::CONNECT)
    .union(Permissions::SPEAK);

/// What a ticket bot's invitation asks for: no Administrator.
pub const BOT: Permissions = EVERYONE
    .union(Permissions::MANAGE_CHANNELS)
    .union(Permissions::MANAGE_ROLES)
    .union(Permissions::MANAGE_MESSAGES)
    .union(Permissions::MANAGE_THREADS)
    .union(Permissions::MANAGE_WEBHOOKS)
    .union(Permissions::MENTION_EVERYONE)
    .union(Permissions::CREATE_PRIVATE_THREADS);

/// The world of the demo: one bot, one guild with an owner, a staff member and two members.
#[derive(Clone, Copy, Debug)]
pub struct Seed {
    /// The bot's application.
    pub application: Id<ApplicationMarker>,
    /// The guild.
    pub guild: Id<GuildMarker>,
    /// Owner of the guild.
    pub admin: Id<UserMarker>,
    /// Will get the staff role.
    pub staff: Id<UserMarker>,
    /// A member.
    pub member: Id<UserMarker>,
    /// Another member.
    pub other_member: Id<UserMarker>,
    /// Where people talk.
    pub general: Id<ChannelMarker>,
    /// Where the panel belongs.
    pub support: Id<ChannelMarker>,
}

impl Seed {
    /// Fills `sim` with the demo's world.
    pub fn plant(sim: &Sim) -> Self {
        sim.write(|state| {
            let admin = state.add_person("ada", "Ada", Some("Server owner"));
            let staff = state.add_person("sam", "Sam", Some("Support staff"));
            let member = state.add_person("mia", "Mia", Some("Member"));
            let other_member = state.add_person("noah", "Noah", Some("Member"));
            let application = state.add_application("Tickets");
            let guild = state.add_guild("Moonlight Games", admin);
            let category = state.add_channel(guild, kind::CATEGORY, "Community", None);
            let welcome = state.add_channel(guild, kind::TEXT, "welcome", Some(category));
            let general = state.add_channel(guild, kind::TEXT, "general", Some(category));
            let support = state.add_channel(guild, kind::TEXT, "support", Some(category));
            if let Some(channel) = state.channels.get_mut(&support) {
                channel.topic = Some("Open a ticket here, the team answers in private.".into());
            }
            for person in [staff, member, other_member] {
                state.add_member(guild, person);
            }
            state.install(guild, application);
            state.say(welcome, admin, "Welcome to **Moonlight Games**! Say hello in the general channel, or open a ticket in the support channel.");
            state.say(general, member, "Hi everyone \u{1f44b}");
            state.say(general, other_member, "Did anybody else lose their save after the update?");
            state.say(general, staff, "Please open a ticket and we will look into it.");
            Self { application, guild, admin, staff, member, other_member, general, support }
        })
    }

    /// The bot's token, as the developer portal would show it.
    pub fn token(&self, sim: &Sim) -> String {
        sim.read(|state| state.users.get(&self.application.cast()).map(|user| user.token.clone()).unwrap_or_default())
    }

    /// The application's public key in hex.
    pub fn public_key(&self, sim: &Sim) -> String {
        sim.read(|state| state.applications.get(&self.application).map(Application::verify_key).unwrap_or_default())
    }
}

impl State {
    /// A person; with a `note` the page offers them.
    pub fn add_person(&mut self, username: &str, name: &str, note: Option<&str>) -> Id<UserMarker> {
        let id = self.new_id();
        let token = format!("person.{id}.{:016x}", rand::random::<u64>());
        let user = User {
            id,
            username: username.into(),
            global_name: Some(name.into()),
            bot: false,
            token,
            dms_closed: false,
            note: note.map(Into::into),
        };
        self.users.insert(id, user);
        id
    }

    /// An application with its bot user; all privileged intents are enabled.
    pub fn add_application(&mut self, name: &str) -> Id<ApplicationMarker> {
        let id: Id<ApplicationMarker> = self.new_id();
        let token = bot_token(id);
        let user = User {
            id: id.cast(),
            username: name.into(),
            global_name: None,
            bot: true,
            token,
            dms_closed: false,
            note: None,
        };
        self.users.insert(user.id, user);
        let application = Application {
            id,
            name: name.into(),
            signing_key: SigningKey::from_bytes(&rand::random()),
            interactions_endpoint_url: None,
            privileged_intents: 1 << 1 | 1 << 8 | 1 << 15,
            commands: BTreeMap::new(),
            shards: 1,
            max_concurrency: 1,
            identifies_remaining: 1000,
            identifies_total: 1000,
            identify_window: Duration::from_secs(86_400),
            window_began: Instant::now(),
            owner: None,
        };
        self.applications.insert(id, application);
        id
    }

    /// Gives a bot a new token, as its owner does in the portal, or Discord when the old one is abused. The old one is refused from now on: the
    /// bot's connections are closed with 4004, and its sessions are over.
    pub fn reset_token(&mut self, application: Id<ApplicationMarker>) -> String {
        let token = bot_token(application);
        if let Some(user) = self.users.get_mut(&application.cast()) {
            user.token = token.clone();
        }
        self.sessions.revoke(application);
        token
    }

    /// A guild with its owner and @everyone.
    pub fn add_guild(&mut self, name: &str, owner: Id<UserMarker>) -> Id<GuildMarker> {
        let id: Id<GuildMarker> = self.new_id();
        let everyone = Role {
            id: id.cast(),
            name: "@everyone".into(),
            permissions: EVERYONE,
            position: 0,
            color: 0,
            hoist: false,
            managed: false,
            mentionable: false,
            bot_id: None,
        };
        let roles = BTreeMap::from([(everyone.id, everyone)]);
        self.guilds.insert(
            id,
            Guild { id, name: name.into(), owner_id: owner, roles, members: BTreeMap::new(), unavailable: false },
        );
        self.add_member(id, owner);
        id
    }

    /// Lets a user join a guild: the others hear GUILD_MEMBER_ADD, the newcomer GUILD_CREATE.
    pub fn add_member(&mut self, guild: Id<GuildMarker>, user: Id<UserMarker>) {
        self.join(guild, user, Vec::new());
    }

    /// Invites a bot: it joins with a managed role that grants [`BOT`], and hears GUILD_CREATE.
    pub fn install(&mut self, guild: Id<GuildMarker>, application: Id<ApplicationMarker>) -> Id<RoleMarker> {
        let name = self.applications.get(&application).map(|found| found.name.clone()).unwrap_or_default();
        let role = self.add_role(guild, &name, BOT, true, Some(application.cast()));
        self.join(guild, application.cast(), vec![role]);
        role
    }

    fn join(&mut self, guild_id: Id<GuildMarker>, user: Id<UserMarker>, roles: Vec<Id<RoleMarker>>) {
        let member = Member { user_id: user, nick: None, roles, joined_at: self.now() };
        let mut data = member.to_json(Some(self.user_json(user)));
        data["guild_id"] = json!(guild_id);
        // Told before it is done, as the newcomer hears of the whole guild first.
        self.emit(Event { kind: "GUILD_MEMBER_ADD", data, audience: Audience::Guild(guild_id) });
        let Some(guild) = self.guilds.get_mut(&guild_id) else { return };
        guild.members.insert(user, member);
        self.emit_guild_create(guild_id, user);
    }

    /// An outage of a guild begins or ends: its members hear GUILD_DELETE with `unavailable`, or GUILD_CREATE.
    pub fn set_unavailable(&mut self, guild_id: Id<GuildMarker>, unavailable: bool) {
        let Some(guild) = self.guilds.get_mut(&guild_id) else { return };
        guild.unavailable = unavailable;
        let members: Vec<_> = guild.members.keys().copied().collect();
        for user in members {
            if unavailable {
                let data = json!({ "id": guild_id, "unavailable": true });
                self.emit(Event { kind: "GUILD_DELETE", data, audience: Audience::Member(user, guild_id) });
            } else {
                self.emit_guild_create(guild_id, user);
            }
        }
    }

    pub(crate) fn emit_guild_create(&mut self, guild_id: Id<GuildMarker>, user: Id<UserMarker>) {
        let viewer = match self.users.get(&user) {
            Some(user) if user.bot => Principal::Bot(user.id.cast()),
            _ => Principal::Person(user),
        };
        // The payload holds all members: it is not worth making when nobody listens.
        let listens = self.sessions.by_id.values().any(|session| session.principal == viewer);
        let Some(guild) = self.guilds.get(&guild_id).filter(|_| listens) else { return };
        let data = self.guild_create_json(guild, viewer);
        self.emit(Event { kind: "GUILD_CREATE", data, audience: Audience::Member(user, guild_id) });
    }

    /// A role above all others.
    pub fn add_role(
        &mut self,
        guild: Id<GuildMarker>,
        name: &str,
        permissions: Permissions,
        managed: bool,
        bot: Option<Id<UserMarker>>,
    ) -> Id<RoleMarker> {
        let id = self.new_id();
        let Some(found) = self.guilds.get_mut(&guild) else { return id };
        let position = found.roles.values().map(|role| role.position).max().unwrap_or(0) + 1;
        let role = Role {
            id,
            name: name.into(),
            permissions,
            position,
            color: 0x5b_7c_fa,
            hoist: true,
            managed,
            mentionable: false,
            bot_id: bot,
        };
        let data = json!({ "guild_id": guild, "role": role.to_json() });
        found.roles.insert(id, role);
        self.emit(Event { kind: "GUILD_ROLE_CREATE", data, audience: Audience::Guild(guild) });
        id
    }

    /// Gives a member a role.
    pub fn give_role(&mut self, guild: Id<GuildMarker>, user: Id<UserMarker>, role: Id<RoleMarker>) {
        let Some(member) = self.guilds.get_mut(&guild).and_then(|guild| guild.members.get_mut(&user)) else { return };
        if !member.roles.contains(&role) {
            member.roles.push(role);
        }
        let mut data = self.member_json(guild, user).unwrap_or_default();
        data["guild_id"] = json!(guild);
        self.emit(Event { kind: "GUILD_MEMBER_UPDATE", data, audience: Audience::Guild(guild) });
    }

    /// A channel at the end of the list.
    pub fn add_channel(
        &mut self,
        guild: Id<GuildMarker>,
        kind: u8,
        name: &str,
        parent: Option<Id<ChannelMarker>>,
    ) -> Id<ChannelMarker> {
        let id = self.new_id();
        let position = i64::try_from(self.guild_channels(guild).len()).unwrap_or(i64::MAX);
        let overwrites: Vec<Overwrite> = Vec::new();
        self.insert_channel(Channel {
            id,
            kind,
            guild_id: Some(guild),
            name: name.into(),
            topic: None,
            parent_id: parent,
            position,
            overwrites,
            nsfw: false,
            rate_limit_per_user: 0,
            last_message_id: None,
            recipients: Vec::new(),
            thread: None,
        });
        id
    }
}

/// A new token of a bot; its first part is the id in base 64.
fn bot_token(id: Id<ApplicationMarker>) -> String {
    let id = STANDARD_NO_PAD.encode(id.to_string());
    format!("{id}.{:08x}.{:032x}", rand::random::<u32>(), rand::random::<u128>())
}
