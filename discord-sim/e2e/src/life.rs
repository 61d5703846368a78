use discord_sim::{
    seed::Seed,
    state::{Channel, Interaction, Message},
};
use serde_json::json;
use twilight_model::id::{
    Id,
    marker::{ChannelMarker, InteractionMarker, MessageMarker, UserMarker},
};

use crate::World;

impl World {
    /// The owner runs `/setup` in #support; answers the panel's message with its button. Sam gets the staff role.
    pub async fn set_up(&self) -> (Id<MessageMarker>, String) {
        self.set_up_in(&self.seed).await
    }

    /// The same in another guild of the bot.
    pub async fn set_up_in(&self, place: &Seed) -> (Id<MessageMarker>, String) {
        let setup =
            self.sim.command(place.admin, place.support, "setup", &json!([])).expect("/setup is offered to the owner");
        self.sim.response(setup).await;
        self.sim.write(|state| {
            let role =
                state.guilds[&place.guild].roles.values().find(|role| role.name == "Support").map(|role| role.id);
            state.give_role(place.guild, place.staff, role.expect("/setup made the staff role"));
        });
        self.sim
            .wait_for("the panel", |state| {
                let panel = state.find_message(place.support, |message| button(message, "open").is_some())?;
                Some((panel.id, button(panel, "open")?))
            })
            .await
    }

    /// A click on the panel, not waited for.
    pub fn press_open(&self, user: Id<UserMarker>, panel: &(Id<MessageMarker>, String)) -> Id<InteractionMarker> {
        self.sim.click(user, self.seed.support, panel.0, &panel.1).expect("the panel's button can be pressed")
    }

    /// Opens a ticket and answers its channel, once its welcome message stands.
    pub async fn open(&self, user: Id<UserMarker>, panel: &(Id<MessageMarker>, String)) -> Id<ChannelMarker> {
        self.open_in(&self.seed, user, panel).await
    }

    /// The same in another guild of the bot.
    pub async fn open_in(
        &self,
        place: &Seed,
        user: Id<UserMarker>,
        panel: &(Id<MessageMarker>, String),
    ) -> Id<ChannelMarker> {
        let before: Vec<_> = self.ticket_channels().into_iter().map(|channel| channel.id).collect();
        let pressed =
            self.sim.click(user, place.support, panel.0, &panel.1).expect("the panel's button can be pressed");
        self.sim.response(pressed).await;
        self.sim
            .wait_for("the ticket's channel with its welcome message", |state| {
                let mut new =
                    state.channels.values().filter(|channel| is_ticket(channel) && !before.contains(&channel.id));
                let channel =
                    new.find(|channel| channel.overwrites.iter().any(|overwrite| overwrite.id == user.cast()))?;
                state
                    .find_message(channel.id, |message| button(message, "close").is_some())
                    .map(|message| message.channel_id)
            })
            .await
    }

    /// Presses the first button of a message in `channel` whose custom id contains `part`.
    pub async fn press(&self, user: Id<UserMarker>, channel: Id<ChannelMarker>, part: &str) -> Interaction {
        let (message, custom_id) = self
            .sim
            .wait_for(&format!("a button for {part}"), |state| {
                let message = state.find_message(channel, |message| {
                    message.only_for.is_none_or(|reader| reader == user) && button(message, part).is_some()
                })?;
                Some((message.id, button(message, part)?))
            })
            .await;
        let pressed = self.sim.click(user, channel, message, &custom_id).expect("the button can be pressed");
        self.sim.answered(pressed).await
    }

    /// All channels that were made for tickets.
    pub fn ticket_channels(&self) -> Vec<Channel> {
        self.sim.read(|state| state.channels.values().filter(|channel| is_ticket(channel)).cloned().collect())
    }
}

/// The bot names its channels so: `ticket-0001`.
pub(crate) fn is_ticket(channel: &Channel) -> bool {
    channel.name.strip_prefix("ticket-").is_some_and(|number| number.bytes().all(|byte| byte.is_ascii_digit()))
}

/// The custom id of a message's first enabled button that contains `part` as one of its words.
pub(crate) fn button(message: &Message, part: &str) -> Option<String> {
    let rows = message.components.iter().flat_map(|row| row["components"].as_array().into_iter().flatten());
    let mut ids = rows.filter(|button| button["disabled"] != true).filter_map(|button| button["custom_id"].as_str());
    ids.find(|id| id.split(':').any(|word| word == part)).map(str::to_owned)
}
